#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/core/delivery/queue_types.h"
#include "tests/crash/stream_history.h"

namespace acta {

// The groups of the queue load, in this order.
struct QueueHistoryGroup {
  const char* name;
  QueueOrder order;
  OnExhausted on_exhausted;
  int32_t max_attempts;
};
inline constexpr QueueHistoryGroup kQueueGroups[] = {
    {"free", QueueOrder::kUnordered, OnExhausted::kDeadLetter, 3},
    {"by-key", QueueOrder::kKey, OnExhausted::kDeadLetter, 2},
    {"held", QueueOrder::kKey, OnExhausted::kHoldKey, 2},
    {"relaxed", QueueOrder::kKeyRelaxed, OnExhausted::kHoldKey, 2}};
inline constexpr char kQueueTopic[] = "jobs";
inline constexpr int32_t kQueuePartitions = 2;
// Where steps write their results.
inline constexpr char kResultTopic[] = "results";
inline constexpr int32_t kResultPartitions = 2;
// Where scheduled events go.
inline constexpr char kLaterTopic[] = "later";
inline constexpr int32_t kLaterPartitions = 2;

// Something that was decided of an event. Positions are counts of disk operations.
struct QueueDecision {
  enum class Op : uint8_t {
    kAck,
    kNack,
    kReject,
    kRelease,
    kLost,     // The stream of the member that had it broke.
    kRedrive,  // A dead letter, or one that is held.
    kDiscard,
    kSkip,   // One that is held.
    kReset,  // All of the partition: the group begins anew at the offset.
  };
  size_t group = 0;  // In kQueueGroups.
  int32_t partition = 0;
  int64_t offset = 0;
  int32_t attempt = 0;  // Of the lease; kReset: which one of the group it is, from 1.
  Op op = Op::kAck;
  bool keyed = false;    // The event has a key.
  int64_t due_us = -1;   // kNack: when it is due again; below 0: the group's backoff decides.
  int64_t step = -1;     // That it was decided in, from 0; below 0: in none.
  size_t submitted = 0;  // Done before it was said.
  size_t acked = 0;      // Done at the latest when it was answered.
};

// Something that was decided of an event that was published for later.
struct ScheduleDecision {
  enum class Op : uint8_t { kSchedule, kMove, kCancel };
  int64_t event = 0;  // Its number in the load, from 0.
  Op op = Op::kSchedule;
  int64_t due_us = 0;    // But of kCancel.
  size_t submitted = 0;  // As of QueueDecision.
  size_t acked = 0;
};

// What a load did with queues and what it was told.
struct QueueHistory {
  size_t ready = 0;  // Done when topic and groups were there.
  // Of one event in the order in which they were said.
  std::vector<QueueDecision> decisions;
  std::vector<ScheduleDecision> schedules;  // In the order in which they were said.
  StreamHistory stream;
  // The load's clock, microseconds, when so many operations were done.
  std::vector<std::pair<size_t, int64_t>> times;
};

// What became of an event.
struct QueueState {
  enum class Kind : uint8_t { kOpen, kDead, kProcessed, kHeld };
  Kind kind = Kind::kOpen;
  int32_t attempts = 0;  // That failed, since the last redrive.
  int32_t redrives = 0;
  int64_t due_us = -1;  // Below 0: not known.
};
// Of the event at an offset of the decision's partition.
QueueState StateAfter(QueueState state, const QueueDecision& decision, int64_t offset);
// What the event of a decision was before it, by index.
QueueState StateBefore(const QueueHistory& history, size_t decision);

int64_t TimeOf(const QueueHistory& history, size_t operations);

absl::Status SaveQueueHistory(const QueueHistory& history, const std::string& path);
absl::StatusOr<QueueHistory> LoadQueueHistory(const std::string& path);

}  // namespace acta
