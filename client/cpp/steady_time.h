#pragma once

#include "absl/time/time.h"

namespace acta::client {

// What intervals are measured by: the time since boot, suspend included. It is no time of day and
// never goes back: setting the clock of the machine ends no wait and makes none longer.
//
// Threads: any.
absl::Time SteadyNow();

// What this clock says at `time` of the wall clock, if nobody sets that until then.
absl::Time ToSteady(absl::Time time);

// For tests: time passes that nobody has to wait for.
void PassSteadyTime(absl::Duration by);

}  // namespace acta::client
