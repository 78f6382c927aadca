#pragma once

#include <cstddef>

#include "absl/status/statusor.h"
#include "acta/v1/subscriber.pb.h"
#include "server/core/queues/group_queue.h"

namespace acta {

// Beyond every event, and what a count adds to it stays a number.
inline constexpr Offset kMostNamedOffset{int64_t{1} << 62};

// Of a NACK or REJECT.
inline constexpr size_t kMaxSettleTextBytes = 1024;

// What a client says of events it leased, but for the partition. Errors: INVALID_ARGUMENT,
// UNKNOWN_ENUM_VALUE, LIMIT_EXCEEDED (max_settle_text_bytes).
absl::StatusOr<QueueSettlement> ReadSettlement(const v1::Settlement& from);

}  // namespace acta
