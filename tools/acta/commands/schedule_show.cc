#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/schedule_table.h"
#include "tools/acta/events/event_text.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  v1::GetScheduleRequest request;
  request.set_topic(context.args().Get("TOPIC"));
  request.set_schedule_id(context.args().Get("SCHEDULE_ID"));
  ASSIGN_OR_RETURN(const v1::GetScheduleResponse response, context.admin().GetSchedule(request));
  const v1::Schedule& schedule = response.schedule();
  RETURN_IF_ERROR(context.output().Print({&response}, ScheduleTable({&schedule})));
  return context.PrintText(UnstoredEventText(schedule.event(), schedule.topic()));
}

}  // namespace

Command ScheduleShowCommand() {
  return {"schedule show",
          {"TOPIC", "SCHEDULE_ID"},
          "shows an event that waits to be published",
          "",
          "acta schedule show orders 1795728000000000",
          {},
          Run};
}

}  // namespace acta::cli
