#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "acta/storage/v1/records.pb.h"
#include "server/core/groups/group_registry.h"
#include "server/core/journeys/batch_observer.h"
#include "server/core/topics/topic_registry.h"
#include "server/core/traces/span.h"
#include "server/core/traces/trace_context.h"

namespace acta {

// TraceFeed tells the story of sampled events in spans, from what the indexer of journeys reads:
//   publish      the event was stored; its parent is the producer's span, it is that of the others
//   deliver      from then until a member had it first
//   settle       from the delivery until it was processed or the attempt failed
//   retry        from a failed attempt until the next delivery
//   dead letter  the group gave it up
// Deliver, settle, retry and dead letter are of QUEUE groups, and not of an event that was
// published before the broker began, or longer ago than 100,000 sampled events. Of a topic that was
// deleted nothing is told any more.
//
// Threads:   that of the indexer.
// Ownership: borrows everything in Deps.
class TraceFeed final : public BatchObserver {
 public:
  struct Deps {
    const LogEngine& engine;
    const TopicRegistry& topics;
    const GroupRegistry& groups;
    SpanSink& sink;
  };
  explicit TraceFeed(const Deps& deps);

  void OnBatch(const StoredBatch& batch) override;
  void OnPassed(PartitionId partition, Offset end) override;

 private:
  // A sampled event.
  struct Traced {
    TraceContext context;
    std::string id;
    std::string publish;  // The id of that span.
    int64_t append_us = 0;
    absl::flat_hash_map<GroupId, int64_t> failed_us;  // When its last attempt ended.
  };
  struct Partition {
    Offset seen;  // Everything below was read, or will not be.
    absl::btree_map<Offset, Traced> events;
  };
  using Record = storage::v1::LedgerRecord;
  using Entry = storage::v1::LedgerEntry;

  // What is remembered of topics that are gone.
  void ForgetDeleted();
  void ReadEvents(const StoredBatch& batch);
  void Remember(PartitionId partition, Offset offset, Traced event);
  void ReadLedger(const StoredBatch& batch);
  // What waited, and whose events were read, or were passed over.
  void TellEarly();
  // The events that a record speaks of may be read later than it.
  bool IsEarly(const Record& record) const;
  void Tell(const Record& record);
  void TellEntry(GroupId group, PartitionId partition, const Entry& entry, int64_t time_us);
  // One attempt, with what came before it.
  struct Attempt {
    int64_t delivered_us = 0;
    int64_t ended_us = 0;
    int32_t number = 0;  // 0: not known.
    std::string member_id;
    std::string error;
  };
  void TellAttempt(GroupId group, PartitionId partition, Offset offset, Traced& event,
                   const Attempt& attempt);
  Span Begin(absl::string_view what, PartitionId partition, Offset offset, const Traced& event,
             const GroupId* group, int64_t start_us, int64_t end_us) const;

  const Deps deps_;
  const int64_t start_us_;
  uint64_t topics_seen_ = 0;  // The registry's version.
  absl::flat_hash_map<PartitionId, Partition> partitions_;
  std::deque<std::pair<PartitionId, Offset>>
      order_;  // Of all that is remembered, the oldest first.
  std::deque<Record> early_;
  size_t early_bytes_ = 0;
};

}  // namespace acta
