#include "tools/acta/commands/deliver_at.h"

#include "storage/base/status_macros.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {

std::vector<Option> DeliverAtOptions() {
  return {{"--deliver-at", "TIME", "publishes then, up to 400 days ahead"},
          {"--delay", "TIME", "publishes after so long"}};
}

absl::StatusOr<std::optional<absl::Time>> ReadDeliverAt(const Args& args, absl::Time now) {
  if (args.Has("--deliver-at") && args.Has("--delay")) {
    return UsageError("--deliver-at and --delay: give only one of them");
  }
  ASSIGN_OR_RETURN(const auto delay, args.Duration("--delay"));
  if (delay) return now + *delay;
  return args.Time("--deliver-at", now);
}

}  // namespace acta::cli
