#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  ASSIGN_OR_RETURN(const v1::GetConfigResponse config, context.admin().GetConfig({}));
  Table table({"PROPERTY", "VALUE", "SOURCE", "DEFAULT", "RANGE", "MEANING"});
  table.SentencesLast();
  for (const v1::Property& property : config.properties()) {
    if (context.args().Has("--changed") && property.source() == "default") continue;
    table.Row(property.name(), property.value(), property.source(), property.default_value(),
              property.range(), property.meaning());
  }
  return context.output().Print({&config}, table);
}

}  // namespace

Command ConfigCommand() {
  return {"config",
          {},
          "every property of the broker with value and source",
          "",
          "acta config",
          {{"--changed", "", "in a table: only what is not the default"}},
          Run};
}

}  // namespace acta::cli
