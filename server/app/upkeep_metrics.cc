#include "server/app/upkeep_metrics.h"

namespace acta {

void CollectUpkeep(const Backups& backups, const QuietScrub& scrub, MetricWriter& writer) {
  const BackupFigures figures = backups.figures();
  writer.Add(Metric::kBackupsRuns, "done", static_cast<double>(figures.done));
  writer.Add(Metric::kBackupsRuns, "failed", static_cast<double>(figures.failed));
  writer.Add(Metric::kBackupsRunning, figures.running ? 1 : 0);
  writer.Add(Metric::kBackupsLastFailed, backups.last_error().empty() ? 0 : 1);
  if (figures.newest.has_value()) {
    writer.Add(Metric::kBackupsNewest, static_cast<double>(absl::ToUnixSeconds(*figures.newest)));
  }
  const auto run = scrub.run();
  writer.Add(Metric::kScrubsDamaged, static_cast<double>(scrub.damage().Count()));
  writer.Add(Metric::kScrubsReadBytes, run.has_value() ? static_cast<double>(run->bytes()) : 0);
}

}  // namespace acta
