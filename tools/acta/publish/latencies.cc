#include "tools/acta/publish/latencies.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace acta::cli {

void Latencies::Add(absl::Duration latency, int64_t count) {
  buckets_[BucketOf(std::max<int64_t>(0, absl::ToInt64Microseconds(latency)))] += count;
  count_ += count;
}

absl::Duration Latencies::Quantile(double fraction) const {
  const auto wanted = static_cast<int64_t>(std::ceil(fraction * static_cast<double>(count_)));
  int64_t seen = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen > 0 && seen >= wanted) return absl::Microseconds(UpperMicros(bucket));
  }
  return absl::ZeroDuration();
}

// Below kSteps each microsecond has its own bucket; above, the leading bits name it.
size_t Latencies::BucketOf(int64_t micros) {
  if (micros < kSteps) return static_cast<size_t>(micros);
  const int shift =
      std::bit_width(static_cast<uint64_t>(micros)) - std::bit_width(uint64_t{kSteps});
  const auto bucket = static_cast<size_t>((shift + 1) * kSteps + (micros >> shift) - kSteps);
  return std::min(bucket, size_t{48 * kSteps - 1});
}

int64_t Latencies::UpperMicros(size_t bucket) {
  if (bucket < kSteps) return static_cast<int64_t>(bucket);
  const auto shift = static_cast<int>(bucket / kSteps) - 1;
  return ((static_cast<int64_t>(bucket % kSteps) + kSteps + 1) << shift) - 1;
}

}  // namespace acta::cli
