#include "server/core/settle/step_request.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "server/core/queues/settlement_rules.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

absl::Status BadStep(absl::string_view field, absl::string_view what) {
  return Error(v1::INVALID_ARGUMENT, absl::StrCat(field, ": ", what),
               {{"field", std::string(field)}});
}

// The part of a delivery that is named; without offset and count all of it.
template <typename Events>
absl::StatusOr<HeldRun> RunOf(absl::string_view field, const Events& events,
                              const DeliveredRun& delivered) {
  HeldRun run;
  run.session = delivered.session;
  run.partition = delivered.partition;
  run.first = delivered.first;
  run.count = static_cast<int32_t>(delivered.count);
  run.attempt = delivered.attempt;
  run.redrives = delivered.redrives;
  if (events.offset() == 0 && events.count() == 0) return run;
  run.first = Offset(events.offset());
  run.count = std::max(1, events.count());
  const Offset end = delivered.first + delivered.count;
  if (events.count() >= 0 && run.first >= delivered.first && run.first < end &&
      run.count <= Lag(run.first, end)) {
    return run;
  }
  return BadStep(field, absl::StrCat(run.count, " events from offset ", run.first.value(),
                                     " on are not of the delivery that the token is of"));
}

absl::Status SetFailed(const v1::FailedEvents& events, HeldRun* run) {
  v1::Settlement settlement;
  settlement.set_kind(events.kind());
  if (events.has_delay()) *settlement.mutable_delay() = events.delay();
  settlement.set_reason(events.reason());
  settlement.set_text(events.text());
  ASSIGN_OR_RETURN(const QueueSettlement read, ReadSettlement(settlement));
  if (read.kind == QueueSettlement::Kind::kNack) {
    run->failed = AttemptEnd::kNack;
  } else if (read.kind == QueueSettlement::Kind::kReject) {
    run->failed = AttemptEnd::kReject;
  } else {
    return BadStep("failed", "kind is NACK or REJECT");
  }
  run->nack = {read.delay, read.reason, read.text};
  return absl::OkStatus();
}

// Adds runs, and checks that they may be in one step.
class StepReader {
 public:
  StepReader(const v1::SettleRequest& request, const StepGroup& group, const DeliveryTokens& tokens)
      : request_(request), group_(group), tokens_(tokens) {}

  template <typename Events>
  absl::StatusOr<HeldRun*> Add(absl::string_view field, const Events& events) {
    ASSIGN_OR_RETURN(const DeliveredRun delivered, tokens_.Read(events.delivery_token()));
    if (delivered.group != group_.id()) {
      return Error(v1::INVALID_DELIVERY_TOKEN,
                   absl::StrCat("delivery_token: it is not of group '", request_.group(),
                                "'; send it as it came, and settle each group by itself"),
                   {{"field", "delivery_token"}});
    }
    // Members of STREAM groups have an assignment for each partition.
    if (group_.queue() != nullptr && !runs_.empty() && delivered.session != runs_.front().session) {
      return BadStep(field, "a step is of one member, and these were delivered to several");
    }
    ASSIGN_OR_RETURN(HeldRun run, RunOf(field, events, delivered));
    count_ += run.count;
    if (count_ > kMaxStepEvents) {
      return LimitExceeded("the step settles events:", count_, "max_step_events", kMaxStepEvents);
    }
    return &runs_.emplace_back(std::move(run));
  }

  std::vector<HeldRun> Take() { return std::move(runs_); }

 private:
  const v1::SettleRequest& request_;
  const StepGroup& group_;
  const DeliveryTokens& tokens_;
  std::vector<HeldRun> runs_;
  int64_t count_ = 0;
};

absl::Status CheckTwice(const std::vector<HeldRun>& runs) {
  absl::flat_hash_set<std::pair<PartitionId, Offset>> seen;
  for (const HeldRun& run : runs) {
    for (int32_t n = 0; n < run.count; ++n) {
      if (seen.emplace(run.partition, run.first + n).second) continue;
      return BadStep("processed",
                     absl::StrCat("offset ", run.first.value() + n, " is named twice"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<HeldRun>> ReadStepRuns(const v1::SettleRequest& request,
                                                  const StepGroup& group,
                                                  const DeliveryTokens& tokens) {
  const int64_t named = int64_t{request.processed_size()} + request.failed_size();
  if (named == 0) {
    return BadStep("processed", "there is none; to publish without settling, use Publish");
  }
  if (named > kMaxStepRuns) {
    return LimitExceeded("the step names deliveries:", named, "max_step_runs", kMaxStepRuns);
  }
  if (group.queue() == nullptr && !request.failed().empty()) {
    return Error(v1::WRONG_GROUP_MODE,
                 absl::StrCat("failed: group '", request.group(),
                              "' is a STREAM group, which only commits: process the event, or "
                              "publish it to where somebody looks at it"),
                 {{"group", request.group()}});
  }
  StepReader reader(request, group, tokens);
  for (const v1::ProcessedEvents& events : request.processed()) {
    RETURN_IF_ERROR(reader.Add("processed", events).status());
  }
  for (const v1::FailedEvents& events : request.failed()) {
    ASSIGN_OR_RETURN(HeldRun* const run, reader.Add("failed", events));
    RETURN_IF_ERROR(SetFailed(events, run));
  }
  std::vector<HeldRun> runs = reader.Take();
  RETURN_IF_ERROR(CheckTwice(runs));
  return runs;
}

absl::StatusOr<EventPosition> CauseOf(const v1::SettleRequest& request,
                                      const std::vector<HeldRun>& runs,
                                      const DeliveryTokens& tokens) {
  if (!request.has_caused_by()) return EventPosition{runs.front().partition, runs.front().first};
  ASSIGN_OR_RETURN(const DeliveredRun delivered, tokens.Read(request.caused_by().delivery_token()));
  const EventPosition cause{delivered.partition, Offset(request.caused_by().offset())};
  for (const HeldRun& run : runs) {
    if (run.partition == cause.partition && run.first <= cause.offset &&
        cause.offset < run.first + run.count) {
      return cause;
    }
  }
  return BadStep("caused_by", "it is not one of the events of the step");
}

}  // namespace acta
