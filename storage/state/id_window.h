#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_set.h"
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
// Ids stand in the order in which they came, 40 bytes each. A table of their numbers finds them; it
// has their hashes too, so that neither a lookup of what is not there nor the table when it grows
// touches the ids, which are misses of the CPU's cache.
//
// Threads: the writer's only, but for MissesBefore() and EffectiveWindow().
class IdWindow {
 public:
  // Memory one of many ids costs at most; for budgets.
  static constexpr int64_t kBytesPerId = 62;

  IdWindow(absl::Duration window, int64_t max_ids);
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
  void Prefetch(int32_t partition, const EventIdHash& id) const {
    ids_.prefetch(Key{id, partition});
  }
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
  struct Key {
    EventIdHash id;
    int32_t partition = 0;
  };
  struct Entry {
    EventIdHash id;
    Offset offset;
    int64_t time_us;
    Incarnation incarnation;
    int32_t partition;  // kRemoved: the id was removed behind others.
  };
  static_assert(sizeof(Entry) == 40);
  static constexpr int32_t kRemoved = -1;
  static constexpr uint32_t kChunk = 64;  // Entries.

  struct Slot {
    uint32_t number;
    uint32_t hash;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(const Key& key) const { return Spread(HashOf(key)); }
    size_t operator()(const Slot& slot) const { return Spread(slot.hash); }
  };
  struct Equal {
    using is_transparent = void;
    const IdWindow* window;
    bool operator()(const Slot& a, const Slot& b) const { return a.number == b.number; }
    bool operator()(const Slot& slot, const Key& key) const {
      return slot.hash == HashOf(key) && window->IsAt(slot.number, key);
    }
    bool operator()(const Key& key, const Slot& slot) const { return (*this)(slot, key); }
  };
  // An id is a hash already.
  static uint32_t HashOf(const Key& key) {
    return static_cast<uint32_t>(key.id.low) + static_cast<uint32_t>(key.partition) * 0x9E3779B9u;
  }
  // Over the bits that a table of more than 2^25 places looks at.
  static size_t Spread(uint32_t hash) { return hash * uint64_t{0x9E3779B97F4A7C15}; }
  bool IsAt(uint32_t number, const Key& key) const {
    const Entry& entry = At(number);
    return entry.id == key.id && entry.partition == key.partition;
  }

  int64_t window_us() const { return window_us_.load(std::memory_order_relaxed); }
  // Numbers wrap; there are fewer entries than that.
  Entry& At(uint32_t number) const {
    const uint32_t place = number - (first_ & ~(kChunk - 1));
    return chunks_[place / kChunk][place % kChunk];
  }
  Entry& Oldest() const { return At(first_); }
  void Append(int32_t partition, const EventIdHash& id, const IdPosition& position);
  void ForgetOldest();
  void DropNewest();

  std::atomic<int64_t> window_us_;
  const int64_t max_ids_;
  std::deque<std::unique_ptr<Entry[]>> chunks_;  // Of the entries first_ to end_ - 1, oldest first.
  uint32_t first_ = 0;
  uint32_t end_ = 0;
  absl::flat_hash_set<Slot, Hash, Equal> ids_;
  // Time of the newest id that was forgotten before its window ended; 0: none. Never goes back.
  std::atomic<int64_t> forgotten_us_{0};
};

// The most ids that one of several topics may have, so that all of them have `most` at most: topics
// with fewer leave what they do not need to the others. `sizes` are what they have or want; `more`
// topics may want any number. Without a topic that has to give any: the largest number.
int64_t LargestShare(std::vector<int64_t> sizes, int64_t most, int64_t more);

}  // namespace acta
