#include "client/cpp/worker_core.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "client/cpp/steady_time.h"
#include "client/cpp/subscribe_start.h"
#include "client/cpp/tell.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "storage/base/status_macros.h"

namespace acta::client {
namespace {

bool IsOver(v1::ErrorReason reason) {
  return reason == v1::LEASE_LOST || reason == v1::ALREADY_SETTLED || reason == v1::NEVER_LEASED;
}

}  // namespace

Worker::Core::Core(std::shared_ptr<Channel> channel, WorkerOptions options)
    : SubscribeSession(std::move(channel), std::move(options)), admin_(channel_) {
  Begin();
}

absl::StatusOr<std::optional<WorkItem>> Worker::Core::Next(absl::Time deadline) {
  const absl::Time until = ToSteady(deadline);
  while (true) {
    ASSIGN_OR_RETURN(std::optional<WorkerState::Item> item, NextItem(until));
    if (!item.has_value()) return std::nullopt;
    if (auto* work = std::get_if<WorkItem>(&*item)) {
      TellReceived(*channel_, ClientKind::kWorker, *work);
      return std::move(*work);
    }
    if (auto* status = std::get_if<absl::Status>(&*item)) return *status;
    if (auto* error = std::get_if<SettleError>(&*item)) Tell({std::move(*error)});
    if (auto* notice = std::get_if<v1::Notice>(&*item); notice != nullptr && options_.on_notice) {
      options_.on_notice(*notice);
    }
  }
}

void Worker::Core::Tell(const std::vector<SettleError>& errors) {
  for (const SettleError& error : errors) options_.on_settle_error(error);
}

void Worker::Core::Settle(const WorkItem& item, const Verdict& verdict) {
  {
    MutexLock lock(mu_);
    state_.Settle(item, verdict);
    changed_.SignalAll();  // Errors are told by whoever waits.
  }
  stream_.Wake();
  TellHooks();
}

void Worker::Core::Settle(absl::string_view topic, int32_t partition, int64_t offset, int64_t count,
                          const Verdict& verdict) {
  {
    MutexLock lock(mu_);
    state_.Settle(topic, partition, offset, count, verdict);
    changed_.SignalAll();
  }
  stream_.Wake();
  TellHooks();
}

absl::StatusOr<v1::SettleResponse> Worker::Core::Step(const WorkItem& item, const Verdict& verdict,
                                                      std::vector<v1::PartitionBatch> batches,
                                                      std::vector<v1::CompletedClaim> claims) {
  v1::SettleRequest request = MakeSettleRequest(options_, std::move(batches), std::move(claims));
  if (verdict.kind == v1::SETTLE_KIND_ACK) {
    request.add_processed()->set_delivery_token(item.delivery_token());
  } else {
    v1::FailedEvents* failed = request.add_failed();
    failed->set_delivery_token(item.delivery_token());
    failed->set_kind(verdict.kind);
    if (verdict.delay.has_value()) SetDuration(*verdict.delay, failed->mutable_delay());
    failed->set_reason(verdict.reason);
    failed->set_text(verdict.text);
  }
  absl::StatusOr<v1::SettleResponse> response = admin_.Settle(request);
  TellStep(*channel_, ClientKind::kWorker, item, verdict.kind, response.status());
  const v1::ErrorReason reason = ReasonOf(response.status());
  if (response.ok() || IsOver(reason)) {
    {
      MutexLock lock(mu_);
      state_.Forget(item, /*lost=*/reason == v1::LEASE_LOST);
    }
    stream_.Wake();  // There is credit to give back.
  }
  return response;
}

absl::Status Worker::Core::Flush(absl::Duration timeout) {
  const absl::Time deadline = SteadyNow() + timeout;
  absl::Status status;
  std::vector<SettleError> errors;
  {
    MutexLock lock(mu_);
    // Not for what others settle meanwhile, which might never end.
    const uint64_t last = state_.Mark();
    while (!state_.Settled(last) && failure_.ok() && status.ok()) {
      EndResetWait();  // Nobody is in Next() to hear of a reset.
      if (WaitUntil(deadline)) continue;
      status = absl::DeadlineExceededError(
          absl::StrCat("the settlements were not durable within ", absl::FormatDuration(timeout)));
    }
    if (!failure_.ok()) state_.Abandon(failure_);
    if (status.ok()) status = state_.TakeFailure();
    errors = state_.TakeErrors();
  }
  TellHooks();
  Tell(errors);
  return status;
}

absl::Status Worker::Core::CloseAndTell(absl::Duration timeout) {
  const absl::Time deadline = SteadyNow() + timeout;
  Cancel();
  {
    // Before the half-close: after it no stream follows one that breaks.
    MutexLock lock(mu_);
    const uint64_t last = state_.Mark();
    while (!closing_ && !state_.Settled(last) && failure_.ok() && WaitUntil(deadline)) continue;
  }
  const absl::Status status = Close(std::max(absl::ZeroDuration(), deadline - SteadyNow()));
  std::vector<SettleError> errors;
  {
    MutexLock lock(mu_);
    state_.Abandon(absl::UnavailableError(
        "the worker was closed before the broker answered; the events come again unless it took "
        "the settlement"));
    errors = state_.TakeErrors();
  }
  TellHooks();
  Tell(errors);
  return status;
}

}  // namespace acta::client
