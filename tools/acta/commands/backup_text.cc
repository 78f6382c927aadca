#include "tools/acta/commands/backup_text.h"

#include "absl/strings/str_cat.h"
#include "tools/acta/output/words.h"

namespace acta::cli {

Table BackupTable(const google::protobuf::RepeatedPtrField<v1::Backup>& backups) {
  Table table({"ID", "TIME", "BYTES", "ADDED", "FILES", "PATH", "PROBLEM"});
  for (const v1::Backup& one : backups) {
    const bool whole = one.problem().empty();
    table.Row(one.id(), TimeText(one.time()), whole ? BytesText(one.bytes()) : "-",
              whole ? BytesText(one.added_bytes()) : "-", one.files(), one.path(),
              whole ? "-" : one.problem());
  }
  return table;
}

std::string CopiedText(const v1::BackupRun& run) {
  if (run.total_bytes() == 0) return "beginning";
  return absl::StrCat(BytesText(run.copied_bytes()), " of ", BytesText(run.total_bytes()),
                      " copied");
}

}  // namespace acta::cli
