#pragma once

#include <cstdint>

namespace acta {

// How often families held writes back, and whether they are held back now.
struct StallCounts {
  int64_t delays = 0;
  int64_t stops = 0;
  bool delayed = false;
  bool stopped = false;
};

}  // namespace acta
