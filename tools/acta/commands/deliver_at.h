#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tools/acta/app/args.h"
#include "tools/acta/app/command.h"

namespace acta::cli {

// When events are to be published: --deliver-at or --delay.
std::vector<Option> DeliverAtOptions();
// Nothing when neither is given. Errors: usage.
absl::StatusOr<std::optional<absl::Time>> ReadDeliverAt(const Args& args, absl::Time now);

}  // namespace acta::cli
