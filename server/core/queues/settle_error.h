#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/core/delivery/queue_types.h"

namespace acta {

inline constexpr absl::Duration kMostExtension = absl::Hours(12);

// Why a settlement did not count, for its client: LEASE_LOST, ALREADY_SETTLED, NEVER_LEASED,
// LIMIT_EXCEEDED. Of an outcome other than kDone. `extension`: that was asked for, if it was named.
absl::Status SettleError(SettleOutcome outcome,
                         std::optional<absl::Duration> extension = std::nullopt);

}  // namespace acta
