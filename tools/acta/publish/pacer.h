#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"

namespace acta::cli {

// When events go, at most so many a second. What came late, of somebody who types or from a broker
// that took no more, is not made up for by going faster.
//
// Threads: one.
class Pacer {
 public:
  // `now`: since boot.
  Pacer(int64_t events_per_second, absl::Duration now)
      : gap_(absl::Seconds(1) / events_per_second), next_(now) {}

  // How long the next event waits.
  absl::Duration Wait(absl::Duration now) {
    next_ = std::max(next_, now - kLateSleep);
    const absl::Duration wait = std::max(next_ - now, absl::ZeroDuration());
    next_ += gap_;
    return wait;
  }

 private:
  // So much longer a sleep may take than it should, without fewer events a second.
  static constexpr absl::Duration kLateSleep = absl::Milliseconds(20);

  const absl::Duration gap_;
  absl::Duration next_;
};

}  // namespace acta::cli
