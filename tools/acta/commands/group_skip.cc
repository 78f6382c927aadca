#include <limits>

#include "absl/strings/str_cat.h"

#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  for (const char* option : {"--topic", "--partition", "--offset", "--reason"}) {
    if (!args.Has(option)) return UsageError(absl::StrCat(option, " is missing"));
  }
  ASSIGN_OR_RETURN(const auto partition, args.Integer("--partition", 0, 65'535));
  ASSIGN_OR_RETURN(const auto offset, args.Integer("--offset"));
  ASSIGN_OR_RETURN(const auto count,
                   args.Integer("--count", 1, std::numeric_limits<int32_t>::max()));
  v1::SkipOffsetsRequest request;
  request.set_group(args.Get("GROUP"));
  request.set_topic(args.Get("--topic"));
  request.set_partition(static_cast<int32_t>(*partition));
  request.set_offset(*offset);
  request.set_count(static_cast<int32_t>(count.value_or(1)));
  request.set_reason(args.Get("--reason"));
  request.set_dry_run(args.Has("--dry-run"));
  ASSIGN_OR_RETURN(const v1::SkipOffsetsResponse response, context.admin().SkipOffsets(request));
  Table table({"TOPIC", "PARTITION", "OFFSET", "COUNT", "SKIPPED"});
  table.Row(request.topic(), request.partition(), request.offset(), request.count(),
            response.skipped());
  RETURN_IF_ERROR(context.output().Print({&response}, table));
  if (response.dry_run()) context.terminal().Hint("nothing was changed: --dry-run");
  return absl::OkStatus();
}

}  // namespace

Command GroupSkipCommand() {
  return {"group skip",
          {"GROUP"},
          "goes on behind events that nobody shall process",
          "QUEUE: they are settled as skipped, whoever has them, are not delivered again and do\n"
          "not become dead letters; events that are settled already do not count. STREAM: the\n"
          "position moves behind them; --offset is where it is, and members join again there.",
          "acta group skip billing --topic orders --partition 0 --offset 0 --reason 'a test order'",
          {{"--topic", "TOPIC", "of which topic"},
           {"--partition", "N", "of which partition"},
           {"--offset", "N", "the first event to skip"},
           {"--count", "N", "so many offsets from there on (1)"},
           {"--reason", "TEXT", "why; it is logged"},
           {"--dry-run", "", "say how many are outstanding and change nothing"}},
          Run};
}

}  // namespace acta::cli
