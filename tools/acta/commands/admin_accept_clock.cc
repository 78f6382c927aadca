#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  if (!context.args().Has("--reason")) return UsageError("--reason is missing: it is logged");
  v1::AcceptClockRequest request;
  request.set_reason(context.args().Get("--reason"));
  ASSIGN_OR_RETURN(const v1::AcceptClockResponse response, context.admin().AcceptClock(request));
  Table table({"SERVER_TIME", "MOVED"});
  table.Row(TimeText(response.server_time()), DurationText(response.moved()));
  return context.output().Print({&response}, table);
}

}  // namespace

Command AdminAcceptClockCommand() {
  return {"admin accept-clock",
          {},
          "accepts a jump of the wall clock that the broker ignores",
          "See the alarm CLOCK_JUMP of `acta status`.",
          "acta admin accept-clock --reason 'NTP corrected the clock'",
          {{"--reason", "TEXT", "why; logged by the broker"}},
          Run};
}

}  // namespace acta::cli
