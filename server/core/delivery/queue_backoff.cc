#include <algorithm>
#include <cmath>

#include "server/core/delivery/queue_types.h"

namespace acta {

absl::Duration Backoff::Delay(int32_t failures, double random) const {
  const double grown = std::pow(factor, std::max(0, failures - 1));
  const absl::Duration plain = std::min(max, initial * grown);
  return plain * (1 + jitter * (2 * random - 1));
}

}  // namespace acta
