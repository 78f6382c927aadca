#include "tools/acta/app/watch.h"

#include "absl/time/clock.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {

std::vector<Option> WatchOptions() {
  return {{"--watch", "", "again and again, until Ctrl-C"},
          {"--interval", "TIME", "between two looks (2s)"}};
}

absl::Status ShowOrWatch(CommandContext& context,
                         absl::FunctionRef<absl::Status(bool clear)> show) {
  const bool watch = context.args().Has("--watch");
  ASSIGN_OR_RETURN(const auto wanted, context.args().Duration("--interval"));
  const absl::Duration interval = wanted.value_or(absl::Seconds(2));
  if (interval < absl::Milliseconds(100)) return UsageError("--interval: at least 100ms");
  RETURN_IF_ERROR(show(watch));
  while (watch) {
    absl::SleepFor(interval);
    RETURN_IF_ERROR(show(true));
  }
  return absl::OkStatus();
}

}  // namespace acta::cli
