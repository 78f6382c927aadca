#include <vector>

#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/pages.h"
#include "tools/acta/commands/schedule_table.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  v1::ListSchedulesRequest request;
  request.set_topic(args.Get("TOPIC"));
  ASSIGN_OR_RETURN(const auto within, args.Duration("--within"));
  if (within) *request.mutable_before() = ToProtoTime(context.now() + *within);
  ASSIGN_OR_RETURN(const auto listed, ReadPages(context, request, &client::Admin::ListSchedules,
                                                &v1::ListSchedulesResponse::schedules_size));
  std::vector<const v1::Schedule*> schedules;
  for (const v1::Schedule& schedule : listed.all.schedules()) schedules.push_back(&schedule);
  RETURN_IF_ERROR(context.output().Print({&listed.all}, ScheduleTable(schedules)));
  HintAtMore(listed.more, context);
  return absl::OkStatus();
}

}  // namespace

Command ScheduleListCommand() {
  return {"schedule list",
          {"[TOPIC]"},
          "lists events that wait to be published",
          "In the order they are due; of all topics unless one is named.",
          "acta schedule list orders --within 2h",
          {{"--within", "TIME", "due within that time from now"},
           {"--max", "N", "at most so many (all)"}},
          Run};
}

}  // namespace acta::cli
