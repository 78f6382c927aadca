#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace acta::bench {

// How long things took, in buckets of at most 1.6 %: any number of them in a few KiB.
//
// Threads: one at a time.
class Latencies {
 public:
  void Add(int64_t nanos);
  void Add(const Latencies& others);
  int64_t count() const { return count_; }
  // Milliseconds that `fraction` of all did not exceed. Zero when there are none.
  double Millis(double fraction) const;

 private:
  static constexpr int kSteps = 64;      // Buckets to each doubling.
  static constexpr int kDoublings = 48;  // Beyond a day.
  static size_t BucketOf(uint64_t nanos);
  static double UpperNanos(size_t bucket);

  std::array<int64_t, kDoublings* kSteps> buckets_ = {};
  int64_t count_ = 0;
};

// Nanoseconds of a clock that never goes back.
int64_t NowNanos();
// Returns at once when that is over.
void SleepUntilNanos(int64_t nanos);

}  // namespace acta::bench
