#pragma once

#include "server/core/groups/group_registry.h"
#include "server/telemetry/metric_writer.h"

namespace acta {

// What QUEUE groups count, as samples: the same series of every group, from its beginning on.
void CollectQueues(const GroupRegistry& groups, MetricWriter& writer);

}  // namespace acta
