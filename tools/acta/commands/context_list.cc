#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/app/contexts.h"
#include "tools/acta/commands/all_commands.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  ASSIGN_OR_RETURN(const Contexts contexts, Contexts::Load(Contexts::DefaultPath()));
  Table table({"CONTEXT", "SERVER", "USED"});
  for (const auto& [name, server] : contexts.servers()) {
    table.Row(name, server, name == contexts.current() ? "yes" : "");
  }
  RETURN_IF_ERROR(context.output().PrintRows(table));
  if (contexts.servers().empty()) {
    context.terminal().Hint("remember one: acta context add prod --server HOST:7450");
  }
  return absl::OkStatus();
}

}  // namespace

Command ContextListCommand() {
  return {"context list",
          {},
          "lists the brokers that have names here",
          "",
          "acta context list",
          {},
          Run,
          false};
}

}  // namespace acta::cli
