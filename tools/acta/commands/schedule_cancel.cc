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
  const std::vector<std::string>& ids = context.args().All("SCHEDULE_ID");
  v1::CancelScheduleRequest request;
  request.set_topic(context.args().Get("TOPIC"));
  size_t cancelled = 0;
  for (const std::string& id : ids) {
    request.set_schedule_id(id);
    const auto response = context.admin().CancelSchedule(request);
    if (!response.ok()) {
      if (cancelled == 0) return response.status();
      return PartlyDoneError(absl::StrCat(DescribeError(response.status()), "; ", cancelled, " of ",
                                          ids.size(), " are cancelled"));
    }
    ++cancelled;
  }
  const v1::CancelScheduleResponse done;
  return context.PrintDone(
      {&done},
      absl::StrCat("cancelled ", CountText(static_cast<int64_t>(cancelled), "scheduled event")));
}

}  // namespace

Command ScheduleCancelCommand() {
  return {"schedule cancel",
          {"TOPIC", "SCHEDULE_ID..."},
          "forgets events that wait to be published",
          "They are not published, and their ids may be used again.",
          "acta schedule cancel orders 1795728000000000",
          {},
          Run};
}

}  // namespace acta::cli
