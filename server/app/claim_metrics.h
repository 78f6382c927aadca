#pragma once

#include "server/core/claims/claim_registry.h"
#include "server/telemetry/metric_writer.h"

namespace acta {

// What the claims of groups count, as samples: of those that claims were asked of.
void CollectClaims(const ClaimRegistry& claims, MetricWriter& writer);

}  // namespace acta
