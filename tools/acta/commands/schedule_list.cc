#include <algorithm>
#include <limits>
#include <vector>

#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/schedule_table.h"
#include "tools/acta/output/words.h"
#include "tools/acta/syntax/quantities.h"

namespace acta::cli {
namespace {

constexpr int64_t kMostOfPage = 1000;

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  ASSIGN_OR_RETURN(const auto max, args.Integer("--max", 1));
  v1::ListSchedulesRequest request;
  request.set_topic(args.Get("TOPIC"));
  ASSIGN_OR_RETURN(const auto within, args.Duration("--within"));
  if (within) *request.mutable_before() = ToProtoTime(context.now() + *within);
  int64_t rest = max.value_or(std::numeric_limits<int64_t>::max());
  v1::ListSchedulesResponse all;
  do {
    request.set_page_size(static_cast<int32_t>(std::min(rest, kMostOfPage)));
    ASSIGN_OR_RETURN(v1::ListSchedulesResponse page, context.admin().ListSchedules(request));
    rest -= page.schedules_size();
    request.set_page_token(page.next_page_token());
    page.clear_next_page_token();
    all.MergeFrom(page);
  } while (rest > 0 && !request.page_token().empty());
  std::vector<const v1::Schedule*> schedules;
  for (const v1::Schedule& schedule : all.schedules()) schedules.push_back(&schedule);
  RETURN_IF_ERROR(context.output().Print({&all}, ScheduleTable(schedules)));
  if (!request.page_token().empty()) context.terminal().Hint("there are more than --max");
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
