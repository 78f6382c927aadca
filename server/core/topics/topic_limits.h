#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace acta {

struct TopicLimits {
  int32_t default_partitions = 4;
  int32_t max_partitions_per_topic = 256;
  int64_t max_partitions = 10000;
  int32_t default_max_event_bytes = 1 << 20;
  int32_t max_event_bytes = 16 << 20;
  absl::Duration default_retention = absl::Hours(24 * 7);
  absl::Duration default_dedupe_window = absl::Minutes(10);
};

}  // namespace acta
