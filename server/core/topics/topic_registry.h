#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/v1/topics.pb.h"
#include "server/core/access/authorizer.h"
#include "server/core/topics/topic_limits.h"
#include "storage/base/ids.h"
#include "storage/base/mutex.h"
#include "storage/log_engine.h"

namespace acta {

// One topic as of a moment. Immutable.
struct Topic {
  TopicId id;
  std::string tenant;
  v1::Topic proto;  // With every default filled in.
  TopicSettings settings;
  // When journeys, which were OFF, were switched on last; 0: never. What groups did while they were
  // off is not in the ledger.
  int64_t ledger_since_us = 0;

  const std::string& name() const { return proto.name(); }
  int32_t partitions() const { return proto.partitions(); }
  // Of publishes that name no level.
  Level ack_level() const {
    return proto.ack_level() == v1::ACK_LEVEL_OS ? Level::kOs : Level::kFsync;
  }
  PartitionId partition(int32_t number) const { return PartitionId(id, number); }
};
using TopicPtr = std::shared_ptr<const Topic>;

// TopicRegistry is all topics: an immutable snapshot for those who look up, one writer at a time
// for those who change. What it answers is durable.
//
// Threads: any. Find() takes no lock that blocks; the rest waits for the disk.
// Errors:  as the methods of acta.v1.Topics say.
class TopicRegistry {
 public:
  TopicRegistry(LogEngine& engine, TopicLimits limits);
  ~TopicRegistry();

  // Reads the records and opens every topic. Once, before anything else.
  absl::Status Load();

  // Null when there is none.
  TopicPtr Find(absl::string_view tenant, absl::string_view name) const;
  TopicPtr FindById(TopicId id) const;
  // TOPIC_NOT_FOUND when there is none.
  absl::StatusOr<TopicPtr> Get(absl::string_view tenant, absl::string_view name) const;

  absl::StatusOr<v1::CreateTopicResponse> Create(const Caller&, const v1::CreateTopicRequest&);
  absl::StatusOr<v1::GetTopicResponse> Get(const Caller&, const v1::GetTopicRequest&) const;
  absl::StatusOr<v1::ListTopicsResponse> List(const Caller&, const v1::ListTopicsRequest&) const;
  absl::StatusOr<v1::UpdateTopicResponse> Update(const Caller&, const v1::UpdateTopicRequest&);
  absl::StatusOr<v1::DeleteTopicResponse> Delete(const Caller&, const v1::DeleteTopicRequest&);
  absl::StatusOr<v1::ListPartitionsResponse> ListPartitions(const Caller&,
                                                            const v1::ListPartitionsRequest&) const;
  absl::StatusOr<v1::FindOffsetsResponse> FindOffsets(const Caller&,
                                                      const v1::FindOffsetsRequest&) const;

  // Asked before a deletion: TOPIC_IN_USE when members read the topic and it is not forced.
  // Set once, at start, like the listener. Both run one change at a time: they may look up topics,
  // but not change them.
  void SetDeleteCheck(absl::AnyInvocable<absl::Status(const Topic&, bool force) const> check);
  // Told after a topic was changed (grown) or deleted, in order; runs on the caller's thread.
  void SetChangeListener(absl::AnyInvocable<void(const Topic&, bool deleted) const> listener);

  std::vector<TopicPtr> All() const;
  // Rises with every change. Ask it before All().
  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  int64_t topic_count() const;
  int64_t partition_count() const;

 private:
  struct Snapshot;  // By (tenant, name) and by id.
  std::shared_ptr<const Snapshot> snapshot() const;
  void Publish(std::shared_ptr<const Snapshot> next);
  absl::Status LoadNextId() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  // Waits until the rows are durable.
  absl::Status Write(std::vector<RowWrite> rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  absl::Status CheckRoomFor(int64_t more_partitions) const;

  LogEngine& engine_;
  const TopicLimits limits_;
  mutable Mutex snapshot_mu_;  // Leaf; held for a pointer copy.
  std::shared_ptr<const Snapshot> snapshot_ ABSL_GUARDED_BY(snapshot_mu_);
  std::atomic<uint64_t> version_{0};
  Mutex write_mu_;  // One change at a time; held over the disk write. Taken before snapshot_mu_.
  uint64_t next_topic_id_ ABSL_GUARDED_BY(write_mu_) = 1;
  absl::AnyInvocable<absl::Status(const Topic&, bool) const> delete_check_;
  absl::AnyInvocable<void(const Topic&, bool) const> listener_;
};

}  // namespace acta
