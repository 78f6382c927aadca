#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  v1::DeleteGroupRequest request;
  request.set_name(context.args().Get("GROUP"));
  request.set_force(context.args().Has("--force"));
  v1::GetGroupRequest get;
  get.set_name(request.name());
  RETURN_IF_ERROR(context.admin().GetGroup(get).status());
  RETURN_IF_ERROR(context.ConfirmDeletion(
      absl::StrCat("Delete group '", request.name(), "' and its positions?")));
  ASSIGN_OR_RETURN(const v1::DeleteGroupResponse response, context.admin().DeleteGroup(request));
  return context.PrintDone({&response}, absl::StrCat("deleted group ", request.name()));
}

}  // namespace

Command GroupDeleteCommand() {
  return {"group delete",
          {"GROUP"},
          "deletes a group and its positions",
          "Asks on a terminal; without one it needs --yes.",
          "acta group delete billing --yes",
          {{"--yes", "", "do not ask"},
           {"--force", "", "also while members are connected: their streams end"}},
          Run};
}

}  // namespace acta::cli
