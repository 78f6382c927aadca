#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/time/time.h"
#include "storage/log_engine.h"
#include "storage/state/id_table.h"

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
// Ids stand in the order in which they came, 40 bytes each, and have numbers. A table of these
// finds them; it has their hashes too, so that neither a lookup of what is not there nor the table
// when it grows touches the ids, which are misses of the CPU's cache.
//
// Threads: the writer's only, but for MissesBefore() and EffectiveWindow().
class IdWindow {
 public:
  // Memory one of many ids costs at most; for budgets.
  static constexpr int64_t kBytesPerId = 60;

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
  ABSL_ATTRIBUTE_ALWAYS_INLINE void Prefetch(int32_t partition, const EventIdHash& id) const {
    table_.Prefetch(HashOf(partition, id));
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

  int64_t size() const { return int64_t{alive_.size()} - removed_; }
  int64_t max_ids() const { return max_ids_; }
  // How far back ids are remembered, after a start too. Any thread.
  absl::Duration EffectiveWindow(int64_t now_us) const;

 private:
  struct Entry {
    EventIdHash id;
    Offset offset;
    int64_t time_us;
    Incarnation incarnation;
    int32_t partition;  // kRemoved: it is not in the table any more.
  };
  static_assert(sizeof(Entry) == 40);
  static constexpr int32_t kRemoved = -1;
  static constexpr uint32_t kChunk = 64;  // Entries.

  // An id is a hash already.
  static uint32_t HashOf(int32_t partition, const EventIdHash& id) {
    return static_cast<uint32_t>(id.low) + static_cast<uint32_t>(partition) * 0x9E3779B9u;
  }
  int64_t window_us() const { return window_us_.load(std::memory_order_relaxed); }
  Entry& At(uint32_t number) const {
    const uint32_t place = number - (alive_.first & ~(kChunk - 1));
    return chunks_[place / kChunk][place % kChunk];
  }
  Entry& Oldest() const { return At(alive_.first); }
  // The number of its newest entry.
  std::optional<uint32_t> NumberOf(int32_t partition, const EventIdHash& id) const;
  void Append(int32_t partition, const EventIdHash& id, const IdPosition& position);
  void TakeOut(uint32_t number);
  void ForgetOldest();
  void GiveBack() { table_.GiveBack(alive_, alive_.size() - removed_); }
  void DropNewest();

  std::atomic<int64_t> window_us_;
  const int64_t max_ids_;
  std::deque<std::unique_ptr<Entry[]>> chunks_;  // Of the entries alive_, oldest first.
  NumberRange alive_;
  uint32_t removed_ = 0;  // How many of them.
  IdTable table_;
  // Time of the newest id that was forgotten before its window ended; 0: none. Never goes back.
  std::atomic<int64_t> forgotten_us_{0};
};

// The most ids that one of several topics may have, so that all of them have `most` at most: topics
// with fewer leave what they do not need to the others. `sizes` are what they have or want; `more`
// topics may want any number. Without a topic that has to give any: the largest number.
int64_t LargestShare(std::vector<int64_t> sizes, int64_t most, int64_t more);

}  // namespace acta
