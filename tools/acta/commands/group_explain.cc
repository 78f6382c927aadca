#include <set>
#include <string>

#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/dead_letter_options.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  v1::ExplainGroupRequest request;
  request.set_group(args.Get("GROUP"));
  ASSIGN_OR_RETURN(const v1::ExplainGroupResponse response, context.admin().ExplainGroup(request));
  const bool hints = context.terminal().ShowsHints() && context.output_format() == "table";
  RETURN_IF_ERROR(context.output().Print({&response}, ExplanationTable(response, !hints)));
  if (!hints) return absl::OkStatus();
  std::set<std::string> shown;
  const auto hint = [&](const std::string& command) {
    if (!command.empty() && shown.insert(command).second) context.terminal().Hint(command);
  };
  for (const v1::PartitionExplanation& row : response.partitions()) {
    hint(row.command());
    for (const v1::KeyExplanation& key : row.keys()) hint(key.command());
  }
  return absl::OkStatus();
}

}  // namespace

Command GroupExplainCommand() {
  return {"group explain",
          {"GROUP"},
          "why each partition does not advance, and the command that would help",
          "",
          "acta group explain billing",
          {},
          Run};
}

}  // namespace acta::cli
