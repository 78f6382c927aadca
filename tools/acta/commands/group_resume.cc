#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  v1::ResumeGroupRequest request;
  request.set_group(context.args().Get("GROUP"));
  ASSIGN_OR_RETURN(const v1::ResumeGroupResponse response, context.admin().ResumeGroup(request));
  return context.PrintDone({&response}, absl::StrCat("resumed group ", request.group()));
}

}  // namespace

Command GroupResumeCommand() {
  return {"group resume",
          {"GROUP"},
          "delivers again to a group that is paused",
          "Changes nothing when it is not paused.",
          "acta group resume billing",
          {},
          Run};
}

}  // namespace acta::cli
