#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"

namespace acta::cli {
namespace {

absl::Status Run(CommandContext& context) {
  v1::DeleteBackupRequest request;
  request.set_id(context.args().Get("ID"));
  RETURN_IF_ERROR(context.ConfirmDeletion(absl::StrCat("Delete backup '", request.id(), "'?")));
  ASSIGN_OR_RETURN(const v1::DeleteBackupResponse response, context.admin().DeleteBackup(request));
  return context.PrintDone({&response}, absl::StrCat("deleted backup ", request.id()));
}

}  // namespace

Command BackupDeleteCommand() {
  return {"backup delete",
          {"ID"},
          "deletes a backup",
          "What other backups share with it stays theirs. Asks on a terminal; without one it needs "
          "--yes.",
          "acta backup delete 2026-01-31T02-00-00Z --yes",
          {{"--yes", "", "do not ask"}},
          Run};
}

}  // namespace acta::cli
