#include "tools/bench/latencies.h"

#include <time.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace acta::bench {

void Latencies::Add(int64_t nanos) {
  ++buckets_[BucketOf(static_cast<uint64_t>(std::max<int64_t>(0, nanos)))];
  ++count_;
}

void Latencies::Add(const Latencies& others) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += others.buckets_[i];
  count_ += others.count_;
}

double Latencies::Millis(double fraction) const {
  const auto wanted = static_cast<int64_t>(std::ceil(fraction * static_cast<double>(count_)));
  int64_t seen = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen > 0 && seen >= wanted) return UpperNanos(bucket) / 1e6;
  }
  return 0;
}

// Below kSteps each nanosecond has its own bucket; above, the leading bits name it.
size_t Latencies::BucketOf(uint64_t nanos) {
  if (nanos < kSteps) return nanos;
  const int shift = std::bit_width(nanos) - std::bit_width(uint64_t{kSteps});
  const size_t bucket = static_cast<size_t>(shift + 1) * kSteps + (nanos >> shift) - kSteps;
  return std::min(bucket, size_t{kDoublings * kSteps - 1});
}

double Latencies::UpperNanos(size_t bucket) {
  if (bucket < kSteps) return static_cast<double>(bucket + 1);
  const auto shift = static_cast<int>(bucket / kSteps) - 1;
  return std::ldexp(static_cast<double>(bucket % kSteps + kSteps + 1), shift);
}

int64_t NowNanos() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void SleepUntilNanos(int64_t nanos) {
  const timespec until = {nanos / 1'000'000'000, nanos % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
  }
}

}  // namespace acta::bench
