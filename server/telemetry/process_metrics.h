#pragma once

#include "server/telemetry/metric_writer.h"

namespace acta {

// Memory, descriptors, threads and CPU time of this process, from /proc.
void CollectProcess(MetricWriter& writer);

}  // namespace acta
