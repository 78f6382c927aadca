#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/backup_text.h"

namespace acta::cli {
namespace {

std::string RunText(const v1::BackupRun& run) {
  switch (run.state()) {
    case v1::BACKUP_STATE_RUNNING:
      return absl::StrCat("one is being made: ", CopiedText(run), "\n");
    case v1::BACKUP_STATE_FAILED:
      return absl::StrCat("the last one failed: ", run.error(), "\n");
    case v1::BACKUP_STATE_STOPPED:
      return "the last one was stopped\n";
    default:
      return "";
  }
}

absl::Status Run(CommandContext& context) {
  ASSIGN_OR_RETURN(const v1::ListBackupsResponse response, context.admin().ListBackups({}));
  RETURN_IF_ERROR(context.PrintHeading(RunText(response.last_run())));
  return context.output().Print({&response}, BackupTable(response.backups()));
}

}  // namespace

Command BackupListCommand() {
  return {"backup list",
          {},
          "shows the backups there are, and how one goes that is being made",
          "ADDED is what a backup does not share with the one before it.",
          "acta backup list",
          {},
          Run};
}

}  // namespace acta::cli
