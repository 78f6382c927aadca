#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"

namespace acta {

// For what ranges from microseconds in memory to seconds of a disk that hangs.
std::vector<double> WaitBounds();

// How long something took, in buckets.
//
// Threads: any; two additions to atomics an observation.
class Histogram {
 public:
  // Upper bounds in seconds, rising; a bucket for all that is longer is added.
  explicit Histogram(std::vector<double> bounds);

  void Observe(absl::Duration duration);

  const std::vector<double>& bounds() const { return bounds_; }
  // Of each bucket by itself, the last one without bound. Not one moment's while others observe.
  std::vector<int64_t> Counts() const;
  double SumSeconds() const;
  // Of so many, a share in (0, 1], the upper bound of their buckets; InfiniteDuration() for the
  // last. nullopt: nothing was observed.
  std::optional<absl::Duration> Quantile(double share) const;

 private:
  const std::vector<double> bounds_;
  std::vector<std::atomic<int64_t>> counts_;
  std::atomic<int64_t> sum_micros_{0};
};

}  // namespace acta
