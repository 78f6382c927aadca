#pragma once

#include "absl/functional/function_ref.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace acta {

inline constexpr absl::Duration kPatience = absl::Seconds(20);

// Of what other threads do. False when it did not come true in time.
inline bool WaitUntil(absl::FunctionRef<bool()> holds, absl::Duration patience = kPatience) {
  const absl::Time end = absl::Now() + patience;
  while (!holds()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

}  // namespace acta
