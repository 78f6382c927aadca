#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "tests/oracle/queue_records.h"

namespace acta::oracle {

// What is said of events in a history, as the checkers of queues put it together. It borrows the
// records.

inline constexpr int64_t kSkewUs = 5'000;
inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

inline bool Ends(const QueueRecord& settle) {
  return settle.op == SettleOp::kAck || settle.op == SettleOp::kReject;
}

// Null: there is none.
inline const QueueRecord* FirstEnd(const std::vector<const QueueRecord*>& settles,
                                   QueueRecord::Kind kind) {
  for (const QueueRecord* settle : settles) {
    if (settle->kind == kind && Ends(*settle)) return settle;
  }
  return nullptr;
}

struct QueueLease {
  const QueueRecord* leased = nullptr;
  int64_t start_us = 0;  // Of the broker's clock.
  bool held = false;     // Over a restart.
  std::vector<const QueueRecord*> settles;
};

struct QueueEvent {
  std::vector<QueueLease> leases;  // By their ends.
  std::vector<const QueueRecord*> settles;
  std::vector<const QueueRecord*> holds;
  std::vector<const QueueRecord*> decisions;  // When it held its key.
  const QueueRecord* letter = nullptr;

  bool HasKey() const { return !leases.empty() && leases.front().leased->key != 0; }
  // It was skipped, or nobody knows.
  bool MayBeSkipped() const {
    return std::any_of(decisions.begin(), decisions.end(), [](const QueueRecord* one) {
      return one->kind == QueueRecord::Kind::kSkipped;
    });
  }
};

struct QueueGroupFacts {
  const QueueRecord* policy = nullptr;
  bool unsure = false;  // A stream ended as none should: what its worker did not see is not known.
};

struct EventPlace {
  int32_t group = 0;
  int32_t partition = 0;
  int64_t offset = 0;

  friend auto operator<=>(const EventPlace&, const EventPlace&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const EventPlace& place) {
    return H::combine(std::move(h), place.group, place.partition, place.offset);
  }
};

using QueueEvents = absl::flat_hash_map<EventPlace, QueueEvent>;
using QueueGroups = absl::flat_hash_map<int32_t, QueueGroupFacts>;

}  // namespace acta::oracle
