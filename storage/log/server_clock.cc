#include "storage/log/server_clock.h"

#include <algorithm>

namespace acta {
namespace {

constexpr double kFollowedDrift = 500e-6;
// What scheduling between the two clock reads may add.
constexpr absl::Duration kSlack = absl::Milliseconds(250);
constexpr absl::Duration kAcceptedJump = absl::Hours(1);
constexpr absl::Duration kAcceptedAfter = absl::Minutes(10);

}  // namespace

ServerClock::ServerClock(const Clock& clock, absl::Time least)
    : clock_(clock),
      base_(std::max(clock.Wall(), least)),
      base_boot_(clock.SinceBoot()),
      newest_(base_),
      observed_boot_(base_boot_) {}

absl::Time ServerClock::Now() {
  const absl::Duration boot = clock_.SinceBoot();
  MutexLock lock(mu_);
  newest_ = std::max(newest_, RawLocked(boot));
  return newest_;
}

void ServerClock::Observe() {
  const absl::Time wall = clock_.Wall();
  const absl::Duration boot = clock_.SinceBoot();
  MutexLock lock(mu_);
  const absl::Duration difference = wall - RawLocked(boot);
  const absl::Duration most = kFollowedDrift * (boot - observed_boot_);
  observed_boot_ = boot;
  if (absl::AbsDuration(difference) <= kSlack + most) {
    base_ += std::clamp(difference, -most, most);
    jump_ = absl::ZeroDuration();
    return;
  }
  if (jump_ == absl::ZeroDuration() || absl::AbsDuration(difference - jump_) > kSlack) {
    jump_since_boot_ = boot;
  }
  jump_ = difference;
  const bool stable = boot - jump_since_boot_ >= kAcceptedAfter;
  if (stable && absl::AbsDuration(jump_) < kAcceptedJump) {
    base_ += difference;
    jump_ = absl::ZeroDuration();
  }
}

absl::Duration ServerClock::jump() const {
  MutexLock lock(mu_);
  return jump_;
}

absl::Duration ServerClock::Accept() {
  const absl::Time wall = clock_.Wall();
  const absl::Duration boot = clock_.SinceBoot();
  MutexLock lock(mu_);
  const absl::Duration moved = wall - RawLocked(boot);
  base_ = wall;
  base_boot_ = boot;
  observed_boot_ = boot;
  jump_ = absl::ZeroDuration();
  return moved;
}

}  // namespace acta
