#include "client/cpp/worker.h"

#include <utility>

#include "client/cpp/worker_core.h"

namespace acta::client {
namespace {

Verdict NackOf(NackOptions options) {
  return {v1::SETTLE_KIND_NACK, options.delay, std::move(options.reason), std::move(options.text)};
}

Verdict RejectOf(RejectOptions options) {
  return {v1::SETTLE_KIND_REJECT, std::nullopt, std::move(options.reason), std::move(options.text)};
}

Verdict ExtendOf(std::optional<absl::Duration> lease) {
  return {v1::SETTLE_KIND_EXTEND, lease, "", ""};
}

}  // namespace

Worker::Worker(std::shared_ptr<Channel> channel, WorkerOptions options)
    : core_(std::make_unique<Core>(std::move(channel), std::move(options))) {}

Worker::~Worker() { (void)Close(absl::Seconds(5)); }

absl::StatusOr<std::optional<WorkItem>> Worker::Next(absl::Time deadline) {
  return core_->Next(deadline);
}

bool Worker::failed() const { return core_->failed(); }

void Worker::Ack(const WorkItem& item) { core_->Settle(item, {v1::SETTLE_KIND_ACK}); }

void Worker::Ack(absl::string_view topic, int32_t partition, int64_t offset, int64_t count) {
  core_->Settle(topic, partition, offset, count, {v1::SETTLE_KIND_ACK});
}

absl::StatusOr<v1::SettleResponse> Worker::AckAndPublish(const WorkItem& item,
                                                         std::vector<v1::PartitionBatch> batches,
                                                         std::vector<v1::CompletedClaim> claims) {
  return core_->Step(item, {v1::SETTLE_KIND_ACK}, std::move(batches), std::move(claims));
}

absl::StatusOr<v1::SettleResponse> Worker::NackAndPublish(const WorkItem& item, NackOptions options,
                                                          std::vector<v1::PartitionBatch> batches,
                                                          std::vector<v1::CompletedClaim> claims) {
  return core_->Step(item, NackOf(std::move(options)), std::move(batches), std::move(claims));
}

absl::StatusOr<v1::SettleResponse> Worker::RejectAndPublish(
    const WorkItem& item, RejectOptions options, std::vector<v1::PartitionBatch> batches,
    std::vector<v1::CompletedClaim> claims) {
  return core_->Step(item, RejectOf(std::move(options)), std::move(batches), std::move(claims));
}

void Worker::Nack(const WorkItem& item, NackOptions options) {
  core_->Settle(item, NackOf(std::move(options)));
}

void Worker::Nack(absl::string_view topic, int32_t partition, int64_t offset, int64_t count,
                  NackOptions options) {
  core_->Settle(topic, partition, offset, count, NackOf(std::move(options)));
}

void Worker::Reject(const WorkItem& item, RejectOptions options) {
  core_->Settle(item, RejectOf(std::move(options)));
}

void Worker::Reject(absl::string_view topic, int32_t partition, int64_t offset, int64_t count,
                    RejectOptions options) {
  core_->Settle(topic, partition, offset, count, RejectOf(std::move(options)));
}

void Worker::Extend(const WorkItem& item, std::optional<absl::Duration> lease) {
  core_->Settle(item, ExtendOf(lease));
}

void Worker::Extend(absl::string_view topic, int32_t partition, int64_t offset, int64_t count,
                    std::optional<absl::Duration> lease) {
  core_->Settle(topic, partition, offset, count, ExtendOf(lease));
}

void Worker::Release(const WorkItem& item) { core_->Settle(item, {v1::SETTLE_KIND_RELEASE}); }

void Worker::Release(absl::string_view topic, int32_t partition, int64_t offset, int64_t count) {
  core_->Settle(topic, partition, offset, count, {v1::SETTLE_KIND_RELEASE});
}

absl::Status Worker::Flush(absl::Duration timeout) { return core_->Flush(timeout); }

std::string Worker::member_id() const { return core_->member_id(); }

void Worker::Cancel() { core_->Cancel(); }

absl::Status Worker::Close(absl::Duration timeout) { return core_->CloseAndTell(timeout); }

}  // namespace acta::client
