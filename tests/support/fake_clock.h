#pragma once

#include "absl/time/time.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"

namespace acta {

// A clock that stands still until it is told. Threads: any.
class FakeClock final : public Clock {
 public:
  absl::Time Wall() const override {
    MutexLock lock(mu_);
    return wall_;
  }
  absl::Duration SinceBoot() const override {
    MutexLock lock(mu_);
    return boot_;
  }
  // Both clocks go on.
  void Advance(absl::Duration by) {
    MutexLock lock(mu_);
    wall_ += by;
    boot_ += by;
  }
  // Only the wall clock moves.
  void Jump(absl::Duration by) {
    MutexLock lock(mu_);
    wall_ += by;
  }

 private:
  mutable Mutex mu_;
  absl::Time wall_ ABSL_GUARDED_BY(mu_) = absl::FromUnixSeconds(1'700'000'000);
  absl::Duration boot_ ABSL_GUARDED_BY(mu_) = absl::Hours(1);
};

}  // namespace acta
