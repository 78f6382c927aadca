#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "server/telemetry/metric_writer.h"
#include "server/telemetry/rejection_counter.h"
#include "storage/base/histogram.h"
#include "storage/base/mutex.h"

namespace acta {

struct TelemetryOptions {
  int64_t max_series = 10000;  // Of one metric.
};

// Telemetry is where numbers come together for a scrape.
//
// Threads:   any.
// Ownership: collectors are called until ClearCollectors() and must keep working until then.
class Telemetry {
 public:
  explicit Telemetry(const TelemetryOptions& options);

  // Called for every scrape, one at a time, in the order added. Must not block and must not call
  // back.
  using Collector = std::function<void(MetricWriter&)>;
  void AddCollector(Collector collector);
  // No collector is running or runs any more after it.
  void ClearCollectors();

  RejectionCounter& rejections() { return rejections_; }

  // Prometheus text format 0.0.4.
  std::string Expose();

 private:
  const TelemetryOptions options_;
  RejectionCounter rejections_;
  Histogram collect_time_;
  Mutex mu_;  // Held over the collectors: they take leaf locks and those of queues only.
  std::vector<Collector> collectors_ ABSL_GUARDED_BY(mu_);
  int64_t hidden_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace acta
