#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "storage/base/ids.h"
#include "storage/log_engine.h"

namespace acta {

// In the order of delivery.
struct ScheduleKey {
  int64_t due_us = 0;
  uint64_t number = 0;  // Rises with every schedule.
  friend auto operator<=>(const ScheduleKey&, const ScheduleKey&) = default;
};

// What is known of a scheduled event without reading it.
struct ScheduledFacts {
  TopicId topic;
  EventIdHash id;  // 0: none.
  bool has_id() const { return id.low != 0 || id.high != 0; }
};

// ScheduleIndex is the events that wait, in the order they are due, and the event ids they have. It
// says what is durable; ids of events on their way to the disk are reserved beside it. About 150
// bytes an event.
//
// Threads: one at a time.
class ScheduleIndex {
 public:
  using Entry = std::pair<ScheduleKey, ScheduledFacts>;

  // What a topic's event id is taken by.
  struct Taken {
    uint64_t number = 0;
    bool durable = false;
  };

  // Counts it, and takes its id. The id, if any, is free.
  void Reserve(uint64_t number, const ScheduledFacts& facts);
  // It will not be written after all.
  void Release(const ScheduledFacts& facts);
  // It is durable.
  void Add(const ScheduleKey& key, const ScheduledFacts& facts);
  // As read at start: reserved and durable.
  void Load(const ScheduleKey& key, const ScheduledFacts& facts);
  std::optional<Taken> FindId(const ScheduledFacts& facts) const;

  // Of one that waits.
  const ScheduledFacts& FactsOf(const ScheduleKey& key) const { return by_due_.find(key)->second; }
  // It is held: nobody else delivers, moves or cancels it. False: somebody does already, or it does
  // not wait any more.
  bool Hold(const ScheduleKey& key);
  bool IsHeld(uint64_t number) const { return held_.contains(number); }
  void LetGo(uint64_t number) { held_.erase(number); }
  // Of one that is held, which it is not any more: it is not due until Resume(), and may be held
  // meanwhile. How often that was since it waits, from 1.
  int64_t PutOff(const ScheduleKey& key);
  void Resume(uint64_t number);
  // Of one that was put off, also when it was resumed since.
  std::optional<ScheduleKey> FindPutOff(uint64_t number) const;
  // Of one that is held, which it is not any more.
  void Remove(const ScheduleKey& key);
  void Move(const ScheduleKey& from, const ScheduleKey& to);

  // Up to `most` that are due at `now_us`, not held and not put off, in order.
  std::vector<ScheduleKey> DueAt(int64_t now_us, size_t most) const;
  // Up to `most` after `after`, in order.
  std::vector<Entry> After(const ScheduleKey& after, size_t most) const;
  // When the next one that is neither held nor put off is due.
  std::optional<int64_t> NextDue() const;

  // Waiting and reserved.
  int64_t count() const { return static_cast<int64_t>(by_due_.size()) + reserved_; }
  int64_t waiting() const { return static_cast<int64_t>(by_due_.size()); }

 private:
  using Id = std::pair<TopicId, EventIdHash>;
  struct OnePutOff {
    ScheduleKey key;
    int64_t times = 0;
    bool resumed = false;
  };

  bool MayBeDelivered(uint64_t number) const;

  absl::btree_map<ScheduleKey, ScheduledFacts> by_due_;
  absl::flat_hash_map<Id, Taken> ids_;
  absl::flat_hash_set<uint64_t> held_;
  absl::flat_hash_map<uint64_t, OnePutOff> put_off_;  // Few: those that could not be read.
  int64_t reserved_ = 0;
};

}  // namespace acta
