#pragma once

#include <cstdint>

#include "server/telemetry/metric_writer.h"

namespace acta {

// Of this process, and how many it may have.
int64_t OpenDescriptors();
int64_t MaxDescriptors();
// Memory, descriptors, threads and CPU time of this process, from /proc.
void CollectProcess(MetricWriter& writer);

}  // namespace acta
