#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/admin.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/backup_text.h"

namespace acta::cli {
namespace {

// The broker reads its folder of backups each time.
constexpr absl::Duration kFirstLook = absl::Milliseconds(100);
constexpr absl::Duration kLastLook = absl::Seconds(2);

absl::StatusOr<v1::ListBackupsResponse> AwaitEnd(CommandContext& context) {
  for (absl::Duration pause = kFirstLook;; pause = std::min(pause * 2, kLastLook)) {
    ASSIGN_OR_RETURN(v1::ListBackupsResponse now, context.admin().ListBackups({}));
    if (now.last_run().state() != v1::BACKUP_STATE_RUNNING) {
      context.terminal().EndProgress();
      return now;
    }
    context.terminal().Progress(CopiedText(now.last_run()));
    absl::SleepFor(pause);
  }
}

absl::Status Run(CommandContext& context) {
  ASSIGN_OR_RETURN(const v1::StartBackupResponse begun, context.admin().StartBackup({}));
  if (context.args().Has("--no-wait")) {
    return context.PrintDone({&begun}, "begun; `acta backup list` shows how it goes");
  }
  ASSIGN_OR_RETURN(v1::ListBackupsResponse after, AwaitEnd(context));
  const v1::BackupRun& run = after.last_run();
  if (run.state() == v1::BACKUP_STATE_STOPPED) {
    return absl::CancelledError("the backup was stopped; there is no such backup");
  }
  if (run.state() != v1::BACKUP_STATE_DONE) {
    return absl::FailedPreconditionError(
        run.error().empty() ? "the broker was started anew: the backup was not made"
                            : absl::StrCat("the backup failed: ", run.error()));
  }
  v1::ListBackupsResponse made;
  for (const v1::Backup& backup : after.backups()) {
    if (backup.id() == run.id()) *made.add_backups() = backup;
  }
  return context.output().Print({&made}, BackupTable(made.backups()));
}

}  // namespace

Command BackupCreateCommand() {
  return {
      "backup create",
      {},
      "makes a backup of the whole broker while it goes on",
      "Below `storage.backup_dir` of the broker, in a folder of its own. What the backup before "
      "has too is not copied again. Everything that was acknowledged at FSYNC when this began "
      "is in it. Without --no-wait it waits for the end; when it is interrupted the backup goes "
      "on. `acta-inspect restore` makes a data folder of a backup.",
      "acta backup create",
      {{"--no-wait", "", "answers when it has begun"}},
      Run};
}

}  // namespace acta::cli
