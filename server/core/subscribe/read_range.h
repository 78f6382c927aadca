#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "server/core/topics/topic_registry.h"
#include "storage/base/ids.h"

namespace acta {

// What a stream reads of one partition.
struct ReadRange {
  TopicPtr topic;
  int32_t partition = 0;
  Offset from;
  std::optional<Offset> end;        // One past the last event wanted; not set: for ever.
  std::optional<int64_t> until_us;  // Only events appended before this time.
  absl::Status problem;             // LOG_TRUNCATED: the position means nothing any more.
  Incarnation incarnation;          // That such a position was taken in; 0: the one of now.

  PartitionId id() const { return topic->partition(partition); }
  bool bounded() const { return end.has_value() || until_us.has_value(); }
};

}  // namespace acta
