#pragma once

#include "server/core/groups/group_registry.h"
#include "server/telemetry/metric_writer.h"

namespace acta {

// What groups have before them and QUEUE groups count, as samples: the same series of every group,
// from its beginning on.
void CollectGroups(const GroupRegistry& groups, MetricWriter& writer);

}  // namespace acta
