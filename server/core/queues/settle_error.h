#pragma once

#include "absl/status/status.h"
#include "server/core/delivery/queue_types.h"

namespace acta {

inline constexpr absl::Duration kMostExtension = absl::Hours(12);

// Why a settlement did not count, for its client: LEASE_LOST, ALREADY_SETTLED, NEVER_LEASED,
// LIMIT_EXCEEDED. Of an outcome other than kDone.
absl::Status SettleError(SettleOutcome outcome);

}  // namespace acta
