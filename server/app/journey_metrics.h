#pragma once

#include "server/core/journeys/journey_indexer.h"
#include "server/telemetry/metric_writer.h"
#include "storage/log_engine.h"

namespace acta {

// The acta_journeys_* metrics.
void CollectJourneys(const JourneyIndexer& indexer, const LogEngine& engine, MetricWriter& writer);

}  // namespace acta
