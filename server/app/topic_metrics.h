#pragma once

#include "server/core/topics/topic_registry.h"
#include "server/telemetry/metric_writer.h"
#include "storage/log_engine.h"

namespace acta {

// What was stored in each topic, as samples.
void CollectTopics(const TopicRegistry& topics, const LogEngine& engine, MetricWriter& writer);

}  // namespace acta
