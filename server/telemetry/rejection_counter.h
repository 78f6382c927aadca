#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "acta/v1/errors.pb.h"
#include "server/telemetry/metric_writer.h"

namespace acta {

// How often calls and frames were refused or failed, by reason.
//
// Threads: any; one addition to an atomic a rejection.
class RejectionCounter {
 public:
  void Count(v1::ErrorReason reason);
  int64_t count(v1::ErrorReason reason) const;
  // Reasons that were counted.
  void Collect(MetricWriter& writer) const;

 private:
  static constexpr int kReasons = v1::ErrorReason_ARRAYSIZE;
  std::array<std::atomic<int64_t>, kReasons> counts_{};
};

}  // namespace acta
