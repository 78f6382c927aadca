#pragma once

#include <array>
#include <cstdint>

#include "absl/time/time.h"

namespace acta::cli {

// How long answers took, in buckets of about 6 %: any number of them in a few KiB.
//
// Threads: one at a time.
class Latencies {
 public:
  void Add(absl::Duration latency, int64_t count = 1);
  int64_t count() const { return count_; }
  // The latency that `fraction` of all did not exceed. Zero when there are none.
  absl::Duration Quantile(double fraction) const;

 private:
  static constexpr int kSteps = 16;  // Buckets to each doubling.
  static size_t BucketOf(int64_t micros);
  static int64_t UpperMicros(size_t bucket);

  std::array<int64_t, 48 * kSteps> buckets_ = {};
  int64_t count_ = 0;
};

}  // namespace acta::cli
