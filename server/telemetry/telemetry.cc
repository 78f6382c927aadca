#include "server/telemetry/telemetry.h"

#include <utility>

#include "server/telemetry/process_metrics.h"
#include "storage/base/clock.h"

namespace acta {

Telemetry::Telemetry(const TelemetryOptions& options)
    : options_(options), collect_time_({0.0001, 0.001, 0.01, 0.1, 1}) {}

void Telemetry::AddCollector(Collector collector) {
  MutexLock lock(mu_);
  collectors_.push_back(std::move(collector));
}

void Telemetry::ClearCollectors() {
  MutexLock lock(mu_);
  collectors_.clear();
}

std::string Telemetry::Expose() {
  const SystemClock clock;
  const absl::Duration begun = clock.SinceBoot();
  MetricWriter writer(options_.max_series);
  MutexLock lock(mu_);
  for (const Collector& collect : collectors_) collect(writer);
  rejections_.Collect(writer);
  CollectProcess(writer);
  hidden_ += writer.hidden();
  writer.Add(Metric::kTelemetryHiddenSamples, static_cast<double>(hidden_));
  collect_time_.Observe(clock.SinceBoot() - begun);
  writer.Add(Metric::kTelemetryCollect, collect_time_);
  return writer.Text();
}

}  // namespace acta
