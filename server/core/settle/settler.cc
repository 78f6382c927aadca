#include "server/core/settle/settler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/core/settle/causation.h"
#include "server/core/settle/step_claims.h"
#include "server/core/settle/step_request.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

// Of a frame and its batches: the first that is at fault.
absl::Status ErrorOfFrame(const v1::FrameResult& result) {
  if (result.has_error()) return FromProto(result.error());
  absl::Status aborted;
  for (int i = 0; i < result.batches_size(); ++i) {
    if (!result.batches(i).has_error()) continue;
    const v1::Status& error = result.batches(i).error();
    const absl::Status status = WithDetails(FromProto(error), {{"batch", absl::StrCat(i)}});
    if (error.reason() != v1::ATOMIC_ABORTED) return status;
    aborted.Update(status);
  }
  return aborted;
}

absl::StatusOr<v1::SettleResponse> ResponseOf(v1::FrameResult result) {
  RETURN_IF_ERROR(ErrorOfFrame(result));
  v1::SettleResponse response;
  *response.mutable_batches() = std::move(*result.mutable_batches());
  response.set_incarnation(result.incarnation());
  return response;
}

PreparedFrame NothingPrepared() {
  PreparedFrame nothing;
  nothing.flight = std::make_shared<FrameInFlight>();
  return nothing;
}

absl::Status TooManySteps(int64_t bytes) {
  return Error(v1::PUBLISH_QUEUE_FULL,
               absl::StrCat("limit max_step_bytes_in_flight (", kMaxStepBytesInFlight,
                            " bytes) is reached by ", bytes,
                            " bytes of steps being written; retry after the delay"),
               {{"limit", "max_step_bytes_in_flight"},
                {"limit_value", absl::StrCat(kMaxStepBytesInFlight)}});
}

}  // namespace

void Settler::Settle(const Caller& caller, v1::SettleRequest request, Done done) const {
  const auto bytes = static_cast<int64_t>(request.ByteSizeLong());
  const int64_t before = in_flight_->fetch_add(bytes);
  if (before > 0 && before + bytes > kMaxStepBytesInFlight) {
    in_flight_->fetch_sub(bytes);
    return std::move(done)(TooManySteps(before));
  }
  Done answer = [in_flight = in_flight_, bytes,
                 done = std::move(done)](absl::StatusOr<v1::SettleResponse> response) mutable {
    in_flight->fetch_sub(bytes);
    std::move(done)(std::move(response));
  };
  deps_.pool.Post(
      [this, caller, request = std::move(request), answer = std::move(answer)]() mutable {
        const absl::Status status = Begin(caller, request, &answer);
        if (!status.ok()) std::move(answer)(status);
      });
}

absl::Status Settler::Begin(const Caller& caller, const v1::SettleRequest& request,
                            Done* done) const {
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const std::shared_ptr<StepGroup> group,
                   deps_.groups.FindForStep(caller, request.tenant(), request.group()));
  ASSIGN_OR_RETURN(std::vector<HeldRun> runs, ReadStepRuns(request, *group, deps_.groups.tokens()));
  absl::StatusOr<Parts> parts = PrepareParts(caller, request, group->id(), runs);
  // Of a step that comes again what caused it may be gone: what became of it is told first.
  if (!parts.ok()) RETURN_IF_ERROR(group->CheckStep(runs));
  RETURN_IF_ERROR(parts.status());
  auto& [frame, claims] = *parts;
  RETURN_IF_ERROR(CheckInFlight(deps_.publish.engine));
  QueueStep step;
  step.runs = std::move(runs);
  step.appends = std::move(frame.appends);
  step.rows = std::move(frame.rows);
  claims.TakeRows(&step.rows);
  // Shared: when the step is refused at once nothing was done with it.
  const auto shared = std::make_shared<Done>(std::move(*done));
  const std::shared_ptr<FrameInFlight> flight = std::move(frame.flight);
  flight->done = [shared](v1::FrameResult result) {
    Done once = std::move(*shared);
    std::move(once)(ResponseOf(std::move(result)));
  };
  step.done = [flight, claims = std::move(claims)](TransactionResult stored) mutable {
    claims.Finish(stored);
    flight->Finish(std::move(stored));
  };
  const absl::Status status = group->SettleStep(std::move(step));
  if (!status.ok()) *done = std::move(*shared);
  return status;
}

absl::StatusOr<Settler::Parts> Settler::PrepareParts(const Caller& caller,
                                                     const v1::SettleRequest& request,
                                                     GroupId group,
                                                     const std::vector<HeldRun>& runs) const {
  ASSIGN_OR_RETURN(const EventPosition cause, CauseOf(request, runs, deps_.groups.tokens()));
  // Who made the token of a former life is not known: nothing is read for it. The group refuses it.
  const bool current =
      std::all_of(runs.begin(), runs.end(), [](const HeldRun& run) { return run.session != 0; });
  PreparedFrame frame = NothingPrepared();
  if (current && !request.publish().empty()) {
    ASSIGN_OR_RETURN(frame, PrepareStep(caller, request, group, cause));
  }
  ASSIGN_OR_RETURN(StepClaims claims, StepClaims::Prepare(caller, request, deps_.claims));
  return Parts{std::move(frame), std::move(claims)};
}

absl::StatusOr<PreparedFrame> Settler::PrepareStep(const Caller& caller,
                                                   const v1::SettleRequest& request, GroupId group,
                                                   const EventPosition& cause) const {
  v1::BatchContext causation;
  RETURN_IF_ERROR(
      SetCausation(deps_.publish.engine, deps_.publish.topics, group, cause, &causation));
  v1::PublishFrame frame;
  frame.mutable_open()->set_app(request.app());
  frame.mutable_open()->set_app_version(request.app_version());
  frame.mutable_open()->set_instance(request.instance());
  *frame.mutable_batches() = request.publish();
  frame.set_atomic(true);
  return Prepare(caller, frame, causation);
}

absl::StatusOr<PreparedFrame> Settler::Prepare(const Caller& caller, const v1::PublishFrame& frame,
                                               const v1::BatchContext& causation) const {
  PreparedFrame prepared;
  PublishSession session(deps_.publish, caller, /*stream=*/false, causation);
  RETURN_IF_ERROR(session.Prepare(SharedBytes(frame.SerializeAsString()), &prepared));
  RETURN_IF_ERROR(ErrorOfFrame(prepared.flight->result));
  // What was published before is left out, and the rest is written.
  prepared.flight->atomic = false;
  return prepared;
}

absl::StatusOr<v1::EditDeadLetterResponse> Settler::EditDeadLetter(
    const Caller& caller, const v1::EditDeadLetterRequest& request) const {
  v1::GetDeadLetterRequest get;
  get.set_tenant(request.tenant());
  get.set_group(request.group());
  *get.mutable_ref() = request.ref();
  ASSIGN_OR_RETURN(const v1::GetDeadLetterResponse got, deps_.groups.GetDeadLetter(caller, get));
  ASSIGN_OR_RETURN(const GroupId group,
                   deps_.groups.GetId(caller, request.tenant(), request.group()));
  ASSIGN_OR_RETURN(const TopicPtr topic,
                   deps_.publish.topics.Get(caller.tenant, request.ref().topic()));
  v1::BatchContext causation;
  if (got.dead_letter().has_event()) {
    const EventPosition cause{topic->partition(request.ref().partition()),
                              Offset(request.ref().offset())};
    RETURN_IF_ERROR(
        SetCausation(deps_.publish.engine, deps_.publish.topics, group, cause, &causation));
  }
  v1::PublishFrame frame;
  frame.set_atomic(true);
  frame.add_batches()->set_topic(topic->name());
  *frame.mutable_batches(0)->add_events() = request.event();
  ASSIGN_OR_RETURN(PreparedFrame prepared, Prepare(caller, frame, causation));
  // Shared: when nothing can be written any more this returns before it is answered.
  const auto written = std::make_shared<absl::StatusOr<v1::SettleResponse>>();
  const std::shared_ptr<FrameInFlight> flight = std::move(prepared.flight);
  flight->done = [written](v1::FrameResult result) { *written = ResponseOf(std::move(result)); };
  QueueStep step;
  step.appends = std::move(prepared.appends);
  step.rows = std::move(prepared.rows);
  step.done = [flight](TransactionResult stored) { flight->Finish(std::move(stored)); };
  RETURN_IF_ERROR(deps_.groups.ReplaceDeadLetter(caller, request, std::move(step)));
  RETURN_IF_ERROR(written->status());
  LogInfo("a dead letter was edited", {{"group", request.group()},
                                       {"topic", topic->name()},
                                       {"partition", request.ref().partition()},
                                       {"offset", request.ref().offset()},
                                       {"by", caller.principal}});
  v1::EditDeadLetterResponse response;
  *response.mutable_batch() = std::move(*(*written)->mutable_batches(0));
  return response;
}

}  // namespace acta
