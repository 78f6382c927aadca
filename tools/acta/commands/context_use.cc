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
  RETURN_IF_ERROR(contexts.Use(name));
  RETURN_IF_ERROR(contexts.Save());
  return context.PrintDone(
      {}, absl::StrCat("context ", name, " is used: ", contexts.servers().at(name)));
}

}  // namespace

Command ContextUseCommand() {
  return {"context use",
          {"CONTEXT"},
          "uses the broker of this name from now on",
          "--server, --context, ACTA_SERVER and ACTA_CONTEXT come before it, in this order.",
          "acta context use prod",
          {},
          Run,
          false};
}

}  // namespace acta::cli
