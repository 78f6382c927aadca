#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace acta {

// What the machine says of time. The only place that asks it.
//
// Threads: any.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time; may jump.
  virtual absl::Time Wall() const = 0;
  // Time since boot, suspend included; never goes back.
  virtual absl::Duration SinceBoot() const = 0;
};

class SystemClock final : public Clock {
 public:
  absl::Time Wall() const override;
  absl::Duration SinceBoot() const override;
};

inline int64_t ToUnixMicros(absl::Time time) { return absl::ToUnixMicros(time); }

}  // namespace acta
