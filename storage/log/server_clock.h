#pragma once

#include "absl/time/time.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"

namespace acta {

// Server time: the wall time of the start, advanced by the boot clock. Drift of the wall clock up
// to 500 ppm is followed; a jump is ignored until an operator accepts it, or until it has been
// stable and under an hour for 10 minutes. Never goes back, never starts before `least`.
//
// Threads: any.
class ServerClock {
 public:
  ServerClock(const Clock& clock, absl::Time least);

  absl::Time Now();
  // Compares with the wall clock; call it about once a second.
  void Observe();
  // The jump that is being ignored: wall time minus server time. Zero: none.
  absl::Duration jump() const;
  // Moves to the wall clock, and answers by how much, also of a jump that was not observed yet; a
  // step back lets time stand still until it is caught up.
  absl::Duration Accept();

 private:
  absl::Time RawLocked(absl::Duration boot) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return base_ + (boot - base_boot_);
  }

  const Clock& clock_;
  mutable Mutex mu_;  // Leaf.
  absl::Time base_ ABSL_GUARDED_BY(mu_);
  absl::Duration base_boot_ ABSL_GUARDED_BY(mu_);
  absl::Time newest_ ABSL_GUARDED_BY(mu_);  // Handed out.
  absl::Duration observed_boot_ ABSL_GUARDED_BY(mu_);
  absl::Duration jump_ ABSL_GUARDED_BY(mu_);
  absl::Duration jump_since_boot_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
