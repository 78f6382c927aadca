#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/app/contexts.h"
#include "tools/acta/commands/all_commands.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  ASSIGN_OR_RETURN(const Contexts contexts, Contexts::Load(Contexts::DefaultPath()));
  Table table({"SERVER", "FROM"});
  if (context.args().Has("CONTEXT")) {
    const std::string& name = context.args().Get("CONTEXT");
    ASSIGN_OR_RETURN(const std::string server, contexts.ServerOf(name));
    table.Row(server, absl::StrCat("context ", name));
  } else {
    ASSIGN_OR_RETURN(const ServerChoice server, FindServer(context.args()));
    table.Row(server.address, server.from);
  }
  return context.output().PrintRows(table);
}

}  // namespace

Command ContextShowCommand() {
  return {"context show",
          {"[CONTEXT]"},
          "the broker of a name, or the one that commands ask now",
          "",
          "acta context show",
          {},
          Run,
          false};
}

}  // namespace acta::cli
