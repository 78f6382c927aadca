#pragma once

#include "absl/status/status.h"
#include "acta/v1/groups.pb.h"
#include "server/core/delivery/queue_types.h"

namespace acta {

// Checks what a request says of a QUEUE group and fills in every default. Errors: INVALID_ARGUMENT,
// UNKNOWN_ENUM_VALUE, with the field, the value and the bounds.
absl::Status SettleQueueSettings(v1::QueueSettings* settings);

// Of settings with every default filled in.
QueuePolicy PolicyOf(const v1::QueueSettings& settings);

}  // namespace acta
