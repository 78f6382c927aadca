#include <utility>

#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/app/watch.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/lag_table.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

// What to do is different for each mode, and for partitions beside these nothing is to be done.
void WarnOfGaps(CommandContext& context, const v1::GetLagResponse& lag) {
  for (const v1::PartitionLag& row : lag.partitions()) {
    if (row.gap_events() == 0) continue;
    context.terminal().Warn(
        absl::StrCat(row.topic(), "/", row.partition(), ": retention has removed ",
                     CountText(row.gap_events(), "event"),
                     " that the group had not read; where it may go on: acta group explain ",
                     context.args().Get("GROUP")));
  }
}

absl::Status Show(CommandContext& context, const v1::GetLagRequest& request, bool clear) {
  ASSIGN_OR_RETURN(const v1::GetLagResponse lag, context.admin().GetLag(request));
  if (clear) RETURN_IF_ERROR(context.ClearScreen());
  RETURN_IF_ERROR(context.output().Print({&lag}, LagTable(lag)));
  WarnOfGaps(context, lag);
  return absl::OkStatus();
}

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  v1::GetLagRequest request;
  request.set_group(args.Get("GROUP"));
  request.set_topic(args.Get("--topic"));
  return ShowOrWatch(context, [&](bool clear) { return Show(context, request, clear); });
}

}  // namespace

Command GroupLagCommand() {
  std::vector<Option> options = {{"--topic", "TOPIC", "only this topic"}};
  for (Option& option : WatchOptions()) options.push_back(std::move(option));
  return {"group lag",
          {"GROUP"},
          "how far a group is behind: events, bytes and time",
          "Of a QUEUE group it shows what is outstanding by state: ready to be leased, leased,\n"
          "waiting for a retry, blocked by an earlier event of its key, held for a decision, not\n"
          "looked at yet; and how many dead letters there are.",
          "acta group lag billing --watch",
          std::move(options),
          Run};
}

}  // namespace acta::cli
