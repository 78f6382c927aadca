#include "storage/base/clock.h"

#include <ctime>

namespace acta {
namespace {

timespec Now(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now;
}

}  // namespace

absl::Time SystemClock::Wall() const { return absl::TimeFromTimespec(Now(CLOCK_REALTIME)); }

absl::Duration SystemClock::SinceBoot() const {
  return absl::DurationFromTimespec(Now(CLOCK_BOOTTIME));
}

}  // namespace acta
