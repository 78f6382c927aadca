#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "storage/log_engine.h"

namespace acta {

// Where an event with an id is stored.
struct IdPosition {
  Offset offset;
  Incarnation incarnation;
  int64_t time_us = 0;
};

// The event ids one topic remembers: those of the window, at most `max_ids`, oldest out first.
// Equal ids in different partitions are different events.
//
// Threads: the writer's only, but for MissesBefore() and EffectiveWindow().
class IdWindow {
 public:
  // Memory one id costs, measured; for budgets.
  static constexpr int64_t kBytesPerId = 84;

  IdWindow(absl::Duration window, int64_t max_ids)
      : window_us_(absl::ToInt64Microseconds(window)), max_ids_(max_ids) {}
  // What a wider one would have kept is not here.
  void SetWindow(absl::Duration window, int64_t now_us);

  std::optional<IdPosition> Find(int32_t partition, const EventIdHash& id, int64_t now_us) const;
  // Times must not go back from call to call.
  void Insert(int32_t partition, const EventIdHash& id, const IdPosition& position);
  // What Find() says at the time of `position`; when that is nothing, inserts it.
  std::optional<IdPosition> FindOrInsert(int32_t partition, const EventIdHash& id,
                                         const IdPosition& position);
  // A lookup that follows some ids later, best kAhead, finds its memory in the CPU's cache.
  static constexpr size_t kAhead = 8;
  void Prefetch(int32_t partition, const EventIdHash& id) const { ids_.prefetch({id, partition}); }
  // Undoes the newest Insert() of the id.
  void Remove(int32_t partition, const EventIdHash& id);

  // Forgets what is older than the window or beyond the maximum.
  void Trim(int64_t now_us);
  // Forgets the oldest `count`: somebody else needs the memory.
  void Evict(int64_t count);

  // What came before is not here, or will not be after a start, although the window has not ended.
  // Any thread.
  void MissesBefore(int64_t time_us);

  int64_t size() const { return static_cast<int64_t>(ids_.size()); }
  int64_t max_ids() const { return max_ids_; }
  // How far back ids are remembered, after a start too. Any thread.
  absl::Duration EffectiveWindow(int64_t now_us) const;

 private:
  int64_t window_us() const { return window_us_.load(std::memory_order_relaxed); }

  struct Key {
    EventIdHash id;
    int32_t partition = 0;
    friend bool operator==(const Key&, const Key&) = default;
    template <typename H>
    friend H AbslHashValue(H hash, const Key& key) {
      return H::combine(std::move(hash), key.id.low, key.partition);
    }
  };

  void ForgetOldest();

  std::atomic<int64_t> window_us_;
  const int64_t max_ids_;
  absl::flat_hash_map<Key, IdPosition> ids_;
  std::deque<std::pair<Key, int64_t>> order_;  // With the time, oldest first.
  // Time of the newest id that was forgotten before its window ended; 0: none. Never goes back.
  std::atomic<int64_t> forgotten_us_{0};
};

}  // namespace acta
