#pragma once

#include <cstdint>
#include <optional>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "server/core/delivery/queue_types.h"

namespace acta {

// When leases end. Events that are leased together end together and cost one entry, which goes when
// the last of them is settled.
//
// Threads: one at a time.
class LeaseRuns {
 public:
  // Above 0, never used twice.
  uint64_t Open(OffsetRun offsets, int64_t until_us);
  // One event less. Forgets the run when it was the last.
  void Drop(uint64_t run);
  // It has events, and was not over when last asked.
  bool Has(uint64_t run) const { return runs_.contains(run); }
  // When it ends; 0: it is over.
  int64_t UntilOf(uint64_t run) const {
    const auto it = runs_.find(run);
    return it == runs_.end() ? 0 : it->second.until_us;
  }
  // A run that is over at `now_us`, the earliest first, which is forgotten; its events are those in
  // it that still carry its number.
  struct Ended {
    uint64_t run = 0;
    OffsetRun offsets;
  };
  std::optional<Ended> TakeEnded(int64_t now_us);
  std::optional<int64_t> next_us() const;
  size_t size() const { return runs_.size(); }

 private:
  struct Run {
    OffsetRun offsets;
    int64_t until_us = 0;
    int64_t left = 0;
  };
  uint64_t last_ = 0;
  absl::flat_hash_map<uint64_t, Run> runs_;
  absl::btree_set<std::pair<int64_t, uint64_t>> by_end_;
};

}  // namespace acta
