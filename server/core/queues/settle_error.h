#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/core/queues/group_queue.h"

namespace acta {

inline constexpr absl::Duration kMostExtension = absl::Hours(12);

// Why a settlement did not count, for its client: LEASE_LOST, ALREADY_SETTLED, NEVER_LEASED,
// LIMIT_EXCEEDED. Of an outcome other than kDone. `extension`: that was asked for, if it was named.
absl::Status SettleError(SettleOutcome outcome,
                         std::optional<absl::Duration> extension = std::nullopt);

// Of an event of a step: with its place in the details.
absl::Status AtEvent(const absl::Status& status, PartitionId partition, Offset offset);
// Why a step with these runs is refused; OK: nothing failed.
absl::Status StepError(absl::Span<const SettleFailure> failures, absl::Span<const HeldRun> runs);

}  // namespace acta
