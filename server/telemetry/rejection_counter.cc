#include "server/telemetry/rejection_counter.h"

namespace acta {

void RejectionCounter::Count(v1::ErrorReason reason) {
  // What has no reason of ours is answered as INTERNAL.
  const int at = reason <= 0 || reason >= kReasons ? v1::INTERNAL : reason;
  counts_[static_cast<size_t>(at)].fetch_add(1, std::memory_order_relaxed);
}

int64_t RejectionCounter::count(v1::ErrorReason reason) const {
  return reason < 0 || reason >= kReasons
             ? 0
             : counts_[static_cast<size_t>(reason)].load(std::memory_order_relaxed);
}

void RejectionCounter::Collect(MetricWriter& writer) const {
  for (int i = 0; i < kReasons; ++i) {
    const auto reason = static_cast<v1::ErrorReason>(i);
    const int64_t times = count(reason);
    if (times == 0) continue;
    writer.Add(Metric::kRpcRejections, v1::ErrorReason_Name(reason), static_cast<double>(times));
  }
}

}  // namespace acta
