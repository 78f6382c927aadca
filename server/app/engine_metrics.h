#pragma once

#include "server/telemetry/metric_writer.h"
#include "storage/log_engine.h"

namespace acta {

// What the engine counts, as samples.
void CollectEngine(const LogEngine& engine, MetricWriter& writer);

}  // namespace acta
