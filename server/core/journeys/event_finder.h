#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "server/core/journeys/event_links.h"
#include "server/core/journeys/found_event.h"
#include "server/core/journeys/journey_indexer.h"
#include "server/core/journeys/link_matcher.h"
#include "server/core/topics/topic_registry.h"
#include "server/exec/executor.h"
#include "storage/base/byte_budget.h"
#include "storage/base/clock.h"
#include "storage/log_engine.h"

namespace acta {

// Of batches that the finders of all calls keep or have read ahead. What each of them looks at just
// now is above it.
inline constexpr int64_t kMaxJourneyBatchBytes = int64_t{128} << 20;

// EventFinder finds events of one tenant by what they name, and reads them. For one call: it keeps
// some of the batches that it read, 64 MiB at most and the one that passes it. Where `memory` has
// no room, which all calls share, it keeps the last one only, reads none ahead and others again.
//
// Threads: one at a time; blocks on the disk.
class EventFinder {
 public:
  // Find() looks at no further batch from then on (since boot).
  EventFinder(const LogEngine& engine, Executor& pool, const Clock& clock,
              const TopicRegistry& topics, const JourneyIndexer& indexer,
              std::shared_ptr<ByteBudget> memory, std::string tenant, absl::Duration until)
      : engine_(engine),
        pool_(pool),
        clock_(clock),
        topics_(topics),
        indexer_(indexer),
        memory_(std::move(memory)),
        tenant_(std::move(tenant)),
        until_(until) {}

  using Wanted = WantedLink;
  // Of events that are found at once, but for the last of them.
  static constexpr size_t kMostFoundBytes = size_t{7} << 20;
  // Those that have one of `wanted`, by partition and offset, from `from` on, at most `most`, and
  // fewer that are large; `next`: where to go on, if there may be more: also when the time was
  // over, and nothing found.
  // Of events that retention took only their places are known: they are TRIMMED, and taken on the
  // word of their hash, as is which of `wanted` they have. Errors: DATA_CORRUPTED: the index cannot
  // be read.
  using Place = IndexPlace;
  absl::StatusOr<std::vector<FoundEvent>> Find(const std::vector<Wanted>& wanted, Place from,
                                               size_t most, std::optional<Place>* next);
  // The time is over.
  bool is_over() const { return clock_.SinceBoot() >= until_; }
  // The event at a position. One that cannot be read is told by its state; MISSING: it was never
  // there.
  FoundEvent ReadAt(const TopicPtr& topic, PartitionId partition, Offset offset);
  // The event that "topic/partition/offset" names; nullopt: there is none of that name.
  std::optional<FoundEvent> FindPlace(absl::string_view text);
  // When this name means what it meant when an event was appended that has it, then (in
  // microseconds): a place means another event once its topic was deleted and made again.
  TimeWindow WindowOf(absl::string_view name, int64_t us) const;

 private:
  class Lookout;

  // Of events that cannot be read: what of `wanted` is at their places, which are among the first
  // `most` of all of it.
  absl::Status NameUnread(const std::vector<Wanted>& wanted, size_t most,
                          std::vector<FoundEvent>* found);
  // Of the tenant; null: of none.
  TopicPtr TopicOf(PartitionId partition) const;
  // Null: it is not kept.
  BatchPtr KeptAt(Place place) const;
  void Keep(const BatchPtr& batch);
  // Null: it cannot be read, `state` says why.
  BatchPtr BatchAt(PartitionId partition, Offset offset, v1::JourneyEventState* state);

  const LogEngine& engine_;
  Executor& pool_;
  const Clock& clock_;
  const TopicRegistry& topics_;
  const JourneyIndexer& indexer_;
  const std::shared_ptr<ByteBudget> memory_;
  const std::string tenant_;
  const absl::Duration until_;
  // Of the batch that was read last.
  int64_t last_bytes_ = 0;
  int64_t last_count_ = 0;
  // By last offset; how much they are.
  absl::flat_hash_map<PartitionId, absl::btree_map<Offset, BatchPtr>> batches_;
  ByteBudget::Lease kept_{memory_, 0};
};

}  // namespace acta
