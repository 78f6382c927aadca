#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

absl::Status SetUntil(CommandContext& context, v1::PauseGroupRequest* request) {
  const Args& args = context.args();
  if (args.Has("--until") && args.Has("--for")) {
    return UsageError("--until and --for: give only one of them");
  }
  ASSIGN_OR_RETURN(const auto duration, args.Duration("--for"));
  if (duration) *request->mutable_until() = ToProtoTime(context.now() + *duration);
  ASSIGN_OR_RETURN(const auto until, args.Time("--until", context.now()));
  if (!until) return absl::OkStatus();
  if (*until <= context.now()) return UsageError("--until: this time is over");
  *request->mutable_until() = ToProtoTime(*until);
  return absl::OkStatus();
}

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  if (!args.Has("--reason")) return UsageError("--reason is missing: it is shown with the group");
  v1::PauseGroupRequest request;
  request.set_group(args.Get("GROUP"));
  request.set_reason(args.Get("--reason"));
  RETURN_IF_ERROR(SetUntil(context, &request));
  ASSIGN_OR_RETURN(const v1::PauseGroupResponse response, context.admin().PauseGroup(request));
  const v1::GroupPause& pause = response.group().pause();
  return context.PrintDone({&response},
                           absl::StrCat("paused group ", request.group(),
                                        pause.has_until() ? " until " : ", until it is resumed",
                                        pause.has_until() ? TimeText(pause.until()) : ""));
}

}  // namespace

Command GroupPauseCommand() {
  return {
      "group pause",
      {"GROUP"},
      "stops deliveries to a group until it is resumed",
      "What is under way may be finished: commits and acks go on. Pausing again replaces reason\n"
      "and time.",
      "acta group pause billing --reason 'the bank is closed' --for 2h",
      {{"--reason", "TEXT", "why; shown with the group"},
       {"--until", "TIME", "ends by itself then"},
       {"--for", "TIME", "ends by itself after so long"}},
      Run};
}

}  // namespace acta::cli
