#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace acta {

// The groups of the queue load, in this order.
struct QueueHistoryGroup {
  const char* name;
  bool by_key;
  int32_t max_attempts;
};
inline constexpr QueueHistoryGroup kQueueGroups[] = {{"free", false, 3}, {"by-key", true, 2}};
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
    kLost,  // The stream of the member that had it broke.
    kRedrive,
    kDiscard,
  };
  size_t group = 0;  // In kQueueGroups.
  int32_t partition = 0;
  int64_t offset = 0;
  int32_t attempt = 0;  // Of the lease.
  Op op = Op::kAck;
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
  // The load's clock, microseconds, when so many operations were done.
  std::vector<std::pair<size_t, int64_t>> times;
};

// What became of an event.
struct QueueState {
  enum class Kind : uint8_t { kOpen, kDead, kProcessed };
  Kind kind = Kind::kOpen;
  int32_t attempts = 0;  // That failed, since the last redrive.
  int32_t redrives = 0;
  int64_t due_us = -1;  // Below 0: not known.
};
QueueState StateAfter(QueueState state, const QueueDecision& decision);

int64_t TimeOf(const QueueHistory& history, size_t operations);

absl::Status SaveQueueHistory(const QueueHistory& history, const std::string& path);
absl::StatusOr<QueueHistory> LoadQueueHistory(const std::string& path);

// The history, with something in it that did not happen, and the class that has to be found then.
struct QueueHistoryMutant {
  std::string problem;
  QueueHistory history;
};
std::vector<QueueHistoryMutant> MutantsOf(const QueueHistory& history);

}  // namespace acta
