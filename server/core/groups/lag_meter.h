#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "server/exec/executor.h"
#include "storage/base/mutex.h"
#include "storage/log_engine.h"

namespace acta {

// How long until a lag is gone, at the pace of the last minute.
//
// Threads: one at a time.
class DrainEstimate {
 public:
  // At most one look in 5 s is kept, whoever asks how often. Not set: it does not shrink.
  std::optional<absl::Duration> Look(absl::Time now, int64_t lag);

 private:
  std::deque<std::pair<absl::Time, int64_t>> looks_;
};

// LagMeter tells how far groups are behind, for scrapes. It does not wait for the disk: what is
// only there is read on the pool, for a later call.
//
// Threads:   any; Measure() one at a time.
// Ownership: borrows engine and pool.
class LagMeter : public std::enable_shared_from_this<LagMeter> {
 public:
  LagMeter(const LogEngine& engine, Executor& pool) : engine_(engine), pool_(pool) {}

  struct Place {
    PartitionId partition;
    Offset next;  // Everything below is processed.
    // What retention takes from here on is lost to the group: of a queue what it did not look at,
    // of the rest it keeps copies.
    Offset head;
    absl::Duration retention;  // Zero: for ever.
    int64_t done_ahead = 0;    // Events from the head on that are processed, or told elsewhere.
  };
  struct GroupPlaces {
    GroupId group;
    int64_t outstanding = 0;  // Events below the heads that are not processed.
    std::vector<Place> places;
  };
  // Times are of the oldest event that is not processed and still exists; of one that is read from
  // the disk they come with a later call, and of one that is read for long they may be an earlier
  // one's.
  struct Lag {
    std::optional<absl::Duration> age;  // Zero: nothing waits.
    std::optional<int64_t> bytes;       // Of the batch it is in and all after it.
    // Until retention takes what the group would lose. Not set: it would lose nothing.
    std::optional<absl::Duration> headroom;
    std::optional<absl::Duration> drain;  // As DrainEstimate.
    int64_t lost_events = 0;              // That retention took before they were read.
    int64_t ahead_events = 0;             // From the heads on, without those done ahead.
  };
  // By position. Groups that are not named are forgotten.
  std::vector<Lag> Measure(const std::vector<GroupPlaces>& groups);

 private:
  enum class Of : uint8_t { kNext, kHead };
  using Key = std::tuple<GroupId, PartitionId, Of>;
  struct Facts {
    int64_t time_us = 0;  // 0: it could not be read.
    uint64_t bytes_below = 0;
  };
  struct ReadEvent {
    Offset offset;
    Facts facts;
  };
  struct Unknown {
    Key key;
    Offset offset;
  };
  // What one call finds.
  struct Look;

  void MeasurePlace(GroupId group, const Place& place, Look& look, Lag* lag) const;
  void MeasureHeadroom(GroupId group, const Place& place, const PartitionExtent& extent, Look& look,
                       Lag* lag) const;
  std::optional<Facts> FactsOf(const Key& key, Offset offset, Look& look) const;
  void ReadLater(const Look& look);
  void ReadAll(const std::vector<Unknown>& unknown);
  Facts ReadOne(const Unknown& event) const;

  const LogEngine& engine_;
  Executor& pool_;
  absl::flat_hash_map<GroupId, DrainEstimate> drains_;  // Of Measure().
  size_t turn_ = 0;                                     // Of Measure().
  mutable Mutex mu_;                                    // Leaf.
  // Of events that were read from the disk.
  absl::flat_hash_map<Key, ReadEvent> read_ ABSL_GUARDED_BY(mu_);
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace acta
