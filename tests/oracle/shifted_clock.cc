#include "tests/oracle/shifted_clock.h"

#include <fstream>

namespace acta::oracle {

absl::Time ShiftedClock::Wall() const {
  int64_t seconds = 0;
  if (!path_.empty() && !(std::ifstream(path_) >> seconds)) seconds = 0;
  return system_.Wall() + absl::Seconds(seconds);
}

}  // namespace acta::oracle
