#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "tools/acta/app/command.h"

namespace acta::cli {

// "--watch" and "--interval", for the table of a command.
std::vector<Option> WatchOptions();

// Shows once, or with --watch again and again until an error or the end of the process; `clear`: on
// a terminal what was shown before is to go first.
absl::Status ShowOrWatch(CommandContext& context, absl::FunctionRef<absl::Status(bool clear)> show);

}  // namespace acta::cli
