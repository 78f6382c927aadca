#pragma once

#include <cstdint>

namespace acta {

// How often families held writes back, and how many do so now.
struct StallCounts {
  int64_t delays = 0;
  int64_t stops = 0;
  int64_t delayed = 0;
  int64_t stopped = 0;
};

}  // namespace acta
