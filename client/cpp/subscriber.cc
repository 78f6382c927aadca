#include "client/cpp/subscriber.h"

#include <utility>

#include "client/cpp/subscriber_core.h"

namespace acta::client {

Subscriber::Subscriber(std::shared_ptr<Channel> channel, SubscriberOptions options)
    : core_(std::make_unique<Core>(std::move(channel), std::move(options))) {}

Subscriber::~Subscriber() { (void)Close(absl::Seconds(5)); }

absl::StatusOr<std::optional<Delivery>> Subscriber::Next(absl::Time deadline) {
  return core_->Next(deadline);
}

bool Subscriber::ended() const { return core_->ended(); }

bool Subscriber::failed() const { return core_->failed(); }

absl::Status Subscriber::Commit(absl::string_view topic, int32_t partition, int64_t offset) {
  return core_->Commit(topic, partition, offset);
}

void Subscriber::CommitDelivered() { core_->CommitDelivered(); }

absl::StatusOr<v1::SettleResponse> Subscriber::CommitAndPublish(
    const Delivery& delivery, std::vector<v1::PartitionBatch> batches,
    std::vector<v1::CompletedClaim> claims) {
  return core_->CommitAndPublish(delivery, std::move(batches), std::move(claims));
}

absl::Status Subscriber::FlushCommits(absl::Duration timeout) {
  return core_->FlushCommits(timeout);
}

std::vector<SubscribedPartition> Subscriber::partitions() const { return core_->partitions(); }

std::string Subscriber::member_id() const { return core_->member_id(); }

void Subscriber::Cancel() { core_->Cancel(); }

absl::Status Subscriber::Close(absl::Duration timeout) { return core_->Close(timeout); }

}  // namespace acta::client
