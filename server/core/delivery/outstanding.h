#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "server/core/delivery/queue_types.h"

namespace acta {

// What a queue knows of an event that is not settled.
struct QueueEntry {
  enum class State : uint8_t {
    kReady,
    kWaitsForKey,
    kLeased,
    kSettling,  // Between PartitionQueue::Hold() and what follows.
    kRetryWait,
    kBlocked,
    kHeld,
  };
  State state = State::kReady;
  bool parked = false;  // It has a row of its own; else it is in the window.
  EventFacts facts;
  int32_t attempts = 0;  // That failed.
  int32_t deliveries = 0;
  int32_t redrives = 0;
  uint64_t holder = 0;  // Of the last lease; 0: nobody, or it gave it back.
  uint64_t run = 0;     // kLeased.
  int64_t leased_us = 0;
  int64_t due_us = 0;  // kRetryWait.
};

// The events of a partition that are not settled: of the window, which the position names as runs,
// and parked ones. Looking one up is most of what a queue does, and it goes through its window in
// the order of the offsets: pages of neighbours keep what it needs next in the cache, which a table
// or a tree of single events does not.
//
// Threads: one at a time. An entry stays where it is until it is parked or removed.
// Cost:    of the window O(1) to find, O(log runs) to add and to remove; of parked ones O(log).
// Memory:  about 90 bytes each in the window, at most 700 where an event has no neighbours; about
//          130 each parked.
class Outstanding {
 public:
  using Runs = absl::btree_map<Offset, Offset>;  // First and end of each; they do not touch.
  using Parked = absl::btree_map<Offset, std::unique_ptr<QueueEntry>>;

  // Null: it is settled, or was never here.
  QueueEntry* Find(Offset offset) {
    const auto page = pages_.find(PageOf(offset));
    if (page != pages_.end() && page->second->Has(offset)) return page->second->At(offset);
    return IsParked(offset) ? parked_.find(offset)->second.get() : nullptr;
  }
  const QueueEntry* Find(Offset offset) const {
    return const_cast<Outstanding*>(this)->Find(offset);
  }

  // Into the window, behind all that is in it.
  QueueEntry& Append(Offset offset, const EventFacts& facts);
  // Out of the window, where it is.
  QueueEntry& Park(Offset offset);
  // A new one, parked.
  QueueEntry& AddParked(Offset offset, const EventFacts& facts);
  // Of one that is here.
  void Remove(Offset offset);

  int64_t in_window() const { return in_window_; }
  const Runs& runs() const { return runs_; }
  // The first in the window that is not below it.
  std::optional<Offset> NextInWindow(Offset from) const;
  const Parked& parked() const { return parked_; }
  // O(1) above all of them.
  bool IsParked(Offset offset) const { return offset < parked_end_ && parked_.contains(offset); }

  // Those of the window, then those that are parked, each by offset. `visit` adds and removes none.
  template <typename Visit>  // void(Offset, const QueueEntry&)
  void ForEach(Visit visit) const {
    for (const auto& [first, end] : runs_) {
      for (Offset offset = first; offset < end; offset = offset + 1) visit(offset, *Find(offset));
    }
    for (const auto& [offset, entry] : parked_) visit(offset, std::as_const(*entry));
  }

 private:
  static constexpr uint64_t kPageEvents = 8;
  static uint64_t PageOf(Offset offset) {
    return static_cast<uint64_t>(offset.value()) / kPageEvents;
  }
  struct Page {
    static size_t PlaceOf(Offset offset) {
      return static_cast<uint64_t>(offset.value()) % kPageEvents;
    }
    bool Has(Offset offset) const { return (used >> PlaceOf(offset) & 1) != 0; }
    QueueEntry* At(Offset offset) { return &entries[PlaceOf(offset)]; }

    uint32_t used = 0;  // A bit for each.
    std::array<QueueEntry, kPageEvents> entries;
  };
  using Pages = absl::flat_hash_map<uint64_t, std::unique_ptr<Page>>;

  void LeaveWindow(Offset offset, Pages::iterator page);

  Pages pages_;  // Of the window.
  int64_t in_window_ = 0;
  Runs runs_;  // Of the window.
  Parked parked_;
  Offset parked_end_;  // Above all that were ever parked.
};

}  // namespace acta
