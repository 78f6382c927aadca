#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/app/contexts.h"
#include "tools/acta/commands/all_commands.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  ASSIGN_OR_RETURN(Contexts contexts, Contexts::Load(Contexts::DefaultPath()));
  const std::string& name = context.args().Get("CONTEXT");
  RETURN_IF_ERROR(contexts.Add(name, context.args().Get("--server")));
  const bool uses = context.args().Has("--use") || contexts.servers().size() == 1;
  if (uses) RETURN_IF_ERROR(contexts.Use(name));
  RETURN_IF_ERROR(contexts.Save());
  return context.PrintDone(
      {}, absl::StrCat("context ", name, " is remembered", uses ? " and used" : ""));
}

}  // namespace

Command ContextAddCommand() {
  return {"context add",
          {"CONTEXT"},
          "remembers a broker by a name",
          "The first one is used from then on; --use says so of a later one. They are in\n"
          "$XDG_CONFIG_HOME/acta/contexts.json, or ~/.config, which only you may open.",
          "acta context add prod --server broker.example.com:7450",
          {{"--use", "", "and uses it from now on"}},
          Run,
          false};
}

}  // namespace acta::cli
