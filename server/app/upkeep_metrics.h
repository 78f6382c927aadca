#pragma once

#include "server/core/admin/backups.h"
#include "server/core/admin/quiet_scrub.h"
#include "server/telemetry/metric_writer.h"

namespace acta {

// The acta_backups_* and acta_scrubs_* metrics.
void CollectUpkeep(const Backups& backups, const QuietScrub& scrub, MetricWriter& writer);

}  // namespace acta
