#include "storage/base/histogram.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace acta {

std::vector<double> WaitBounds() {
  return {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
          0.025,   0.05,   0.1,     0.25,   0.5,   1,      2.5,   10};
}

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void Histogram::Observe(absl::Duration duration) {
  const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), absl::ToDoubleSeconds(duration));
  counts_[static_cast<size_t>(at - bounds_.begin())].fetch_add(1, std::memory_order_relaxed);
  sum_micros_.fetch_add(absl::ToInt64Microseconds(duration), std::memory_order_relaxed);
}

std::vector<int64_t> Histogram::Counts() const {
  std::vector<int64_t> counts;
  for (const auto& count : counts_) counts.push_back(count.load(std::memory_order_relaxed));
  return counts;
}

double Histogram::SumSeconds() const {
  return static_cast<double>(sum_micros_.load(std::memory_order_relaxed)) / 1e6;
}

std::optional<absl::Duration> Histogram::Quantile(double share) const {
  const std::vector<int64_t> counts = Counts();
  const int64_t all = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  if (all == 0) return std::nullopt;
  const auto wanted = static_cast<int64_t>(std::ceil(share * static_cast<double>(all)));
  int64_t seen = 0;
  for (size_t i = 0; i < bounds_.size(); ++i) {
    seen += counts[i];
    if (seen >= wanted) return absl::Seconds(bounds_[i]);
  }
  return absl::InfiniteDuration();
}

}  // namespace acta
