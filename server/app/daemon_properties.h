#pragma once

#include "absl/status/status.h"
#include "server/app/daemon_options.h"
#include "server/config/property_table.h"
#include "server/core/admin/limits_table.h"

namespace acta {

// Describes every property of the daemon, bound to the fields of `options`.
void DescribeProperties(DaemonOptions* options, PropertyTable* table);

// What no single property can see: the folder is named, limits fit each other, listeners beyond
// loopback are wanted. Also sets what follows from properties. Errors: INVALID_ARGUMENT naming the
// properties.
absl::Status SettleOptions(DaemonOptions* options);

// The limits among the options, as `acta limits` shows them.
ServerLimits LimitsOf(const DaemonOptions& options);

}  // namespace acta
