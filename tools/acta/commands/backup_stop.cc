#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  ASSIGN_OR_RETURN(const v1::StopBackupResponse response, context.admin().StopBackup({}));
  return context.PrintDone({&response},
                           response.stopped() ? "it is given up" : "no backup was being made");
}

}  // namespace

Command BackupStopCommand() {
  return {
      "backup stop", {}, "gives up the backup that is being made", "", "acta backup stop", {}, Run};
}

}  // namespace acta::cli
