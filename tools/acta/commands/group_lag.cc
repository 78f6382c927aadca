#include <algorithm>

#include "absl/time/clock.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

Table LagTable(const v1::GetLagResponse& lag) {
  Table table({"TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "BYTES", "BEHIND", "MEMBER"});
  int64_t events = 0;
  int64_t bytes = 0;
  absl::Duration behind;
  for (const v1::PartitionLag& row : lag.partitions()) {
    table.Row(row.topic(), row.partition(), row.committed_offset(), row.end_offset(),
              row.lag_events(), row.lag_bytes(), DurationText(row.behind()),
              row.member_id().empty() ? "-" : row.member_id());
    events += row.lag_events();
    bytes += row.lag_bytes();
    behind = std::max(behind, FromProtoDuration(row.behind()));
  }
  table.Total("total", "", "", "", events, bytes, DurationText(behind), "");
  return table;
}

void WarnOfGaps(CommandContext& context, const v1::GetLagResponse& lag) {
  for (const v1::PartitionLag& row : lag.partitions()) {
    if (row.gap_events() == 0) continue;
    context.terminal().Warn(absl::StrCat(
        row.topic(), "/", row.partition(), ": retention has removed ", row.gap_events(),
        " events that the group had not read; decide with `acta group reset`"));
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
  ASSIGN_OR_RETURN(const auto interval, args.Duration("--interval"));
  RETURN_IF_ERROR(Show(context, request, args.Has("--watch")));
  while (args.Has("--watch")) {
    absl::SleepFor(std::max(interval.value_or(absl::Seconds(2)), absl::Milliseconds(100)));
    RETURN_IF_ERROR(Show(context, request, true));
  }
  return absl::OkStatus();
}

}  // namespace

Command GroupLagCommand() {
  return {"group lag",
          {"GROUP"},
          "how far a group is behind: events, bytes and time",
          "",
          "acta group lag billing --watch",
          {{"--topic", "TOPIC", "only this topic"},
           {"--watch", "", "again and again, until Ctrl-C"},
           {"--interval", "TIME", "between two looks (2s)"}},
          Run};
}

}  // namespace acta::cli
