#include "storage/log/slice.h"

namespace acta {

int64_t SliceClassOf(absl::Duration retention) {
  constexpr int64_t kHour = 3600;
  for (const int64_t seconds : {kHour, 24 * kHour, 7 * 24 * kHour, 30 * 24 * kHour}) {
    if (retention <= absl::Seconds(seconds)) return seconds;
  }
  return 0;
}

absl::Duration SliceAge(int64_t class_seconds) {
  return class_seconds == 0 ? absl::Hours(30 * 24) : absl::Seconds(class_seconds) / 8;
}

}  // namespace acta
