#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/deliver_at.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  ASSIGN_OR_RETURN(const auto at, ReadDeliverAt(args, context.now()));
  if (!at.has_value()) return UsageError("say when: --deliver-at or --delay");
  v1::MoveScheduleRequest request;
  request.set_topic(args.Get("TOPIC"));
  request.set_schedule_id(args.Get("SCHEDULE_ID"));
  *request.mutable_deliver_at() = ToProtoTime(*at);
  ASSIGN_OR_RETURN(const v1::MoveScheduleResponse response, context.admin().MoveSchedule(request));
  return context.PrintDone({&response},
                           absl::StrCat("moved schedule ", request.schedule_id(), " to ",
                                        TimeText(response.schedule().deliver_at())));
}

}  // namespace

Command ScheduleMoveCommand() {
  return {"schedule move",
          {"TOPIC", "SCHEDULE_ID"},
          "gives an event that waits another time",
          "A time that is over publishes it now.",
          "acta schedule move orders 1795728000000000 --delay 2h",
          DeliverAtOptions(),
          Run};
}

}  // namespace acta::cli
