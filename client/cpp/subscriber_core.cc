#include "client/cpp/subscriber_core.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "client/cpp/steady_time.h"
#include "client/cpp/subscribe_start.h"
#include "client/cpp/tell.h"
#include "storage/base/status_macros.h"

namespace acta::client {

Subscriber::Core::Core(std::shared_ptr<Channel> channel, SubscriberOptions options)
    : SubscribeSession(std::move(channel), std::move(options)), admin_(channel_) {
  Begin();
}

absl::StatusOr<std::optional<Delivery>> Subscriber::Core::Next(absl::Time deadline) {
  const absl::Time until = ToSteady(deadline);
  while (true) {
    ASSIGN_OR_RETURN(std::optional<SubscriptionState::Item> item, NextItem(until));
    if (!item.has_value()) return std::nullopt;
    if (auto* delivery = std::get_if<Delivery>(&*item)) {
      TellReceived(*channel_, ClientKind::kSubscriber, *delivery);
      return std::move(*delivery);
    }
    if (auto* status = std::get_if<absl::Status>(&*item)) return *status;
    if (auto* noticed = std::get_if<SubscriptionState::Noticed>(&*item)) Tell(*noticed);
    if (auto* revoking = std::get_if<SubscriptionState::Revoking>(&*item)) GiveUp(*revoking);
  }
}

void Subscriber::Core::Tell(const SubscriptionState::Noticed& noticed) {
  if (!options_.on_notice) return;
  options_.on_notice(noticed.notice, noticed.partition.has_value() ? &*noticed.partition : nullptr);
}

void Subscriber::Core::GiveUp(const SubscriptionState::Revoking& revoking) {
  if (options_.on_revoked) options_.on_revoked(revoking.partition);
  {
    MutexLock lock(mu_);
    state_.Release(revoking, options_.commit_when_revoked);
  }
  stream_.Wake();
}

bool Subscriber::Core::ended() const {
  MutexLock lock(mu_);
  return state_.ReachedAllEnds() && !state_.HasItem();
}

absl::Status Subscriber::Core::Commit(absl::string_view topic, int32_t partition, int64_t offset) {
  absl::Status status;
  {
    MutexLock lock(mu_);
    status = state_.Commit(topic, partition, offset);
  }
  stream_.Wake();
  return status;
}

void Subscriber::Core::CommitDelivered() {
  {
    MutexLock lock(mu_);
    state_.CommitDelivered();
  }
  stream_.Wake();
}

absl::StatusOr<v1::SettleResponse> Subscriber::Core::CommitAndPublish(
    const Delivery& delivery, std::vector<v1::PartitionBatch> batches,
    std::vector<v1::CompletedClaim> claims) {
  v1::SettleRequest request = MakeSettleRequest(options_, std::move(batches), std::move(claims));
  request.add_processed()->set_delivery_token(delivery.delivery_token());
  {
    MutexLock lock(mu_);
    state_.BeginStep(delivery);
  }
  absl::StatusOr<v1::SettleResponse> response = admin_.Settle(request);
  TellStep(*channel_, ClientKind::kSubscriber, delivery, v1::SETTLE_KIND_ACK, response.status());
  return response;
}

absl::Status Subscriber::Core::FlushCommits(absl::Duration timeout) {
  const absl::Time deadline = SteadyNow() + timeout;
  MutexLock lock(mu_);
  while (!state_.CommitsSettled()) {
    if (!WaitUntil(deadline)) {
      return absl::DeadlineExceededError(
          absl::StrCat("the commits were not durable within ", absl::FormatDuration(timeout)));
    }
  }
  return state_.TakeCommitFailure();
}

std::vector<SubscribedPartition> Subscriber::Core::partitions() const {
  MutexLock lock(mu_);
  return state_.partitions();
}

}  // namespace acta::client
