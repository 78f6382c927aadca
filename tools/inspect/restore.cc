#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"
#include "storage/log/backup_restore.h"
#include "tools/inspect/commands.h"

namespace acta::inspect {
namespace {

// On a terminal: how far it is, on one line that the last call clears.
BackupProgress ProgressLine(const char* what) {
  if (isatty(STDERR_FILENO) == 0) return nullptr;
  return [what, shown = int64_t{-1}](int64_t done, int64_t total) mutable {
    const int64_t percent = total > 0 ? done * 100 / total : 100;
    if (percent == shown) return;
    shown = percent;
    std::fprintf(stderr, "\r%s %lld %%%s", what, static_cast<long long>(percent),
                 done >= total ? "\r\x1b[K" : "");
  };
}

Json BackupJson(const BackupInfo& backup) {
  Json json;
  json["backup"] = backup.path;
  json["store_id"] = backup.store_id;
  json["time"] = TimeText(absl::ToUnixMicros(backup.time));
  json["group"] = backup.group.value();
  json["files"] = backup.files;
  json["bytes"] = backup.bytes;
  return json;
}

}  // namespace

bool IsBackup(const std::string& folder) {
  std::error_code error;
  return std::filesystem::exists(absl::StrCat(folder, "/", kBackupFile), error);
}

absl::StatusOr<bool> VerifyFiles(const std::string& backup, Format format, std::ostream& out) {
  ASSIGN_OR_RETURN(const std::vector<std::string> wrong,
                   CheckBackup(backup, ProgressLine("checking")));
  if (wrong.empty()) return true;
  if (format == Format::kJson) {
    Json json;
    json["findings"] = Json::array();
    for (const std::string& what : wrong) {
      json["findings"].push_back({{"where", "backup"}, {"problem", what}});
    }
    out << JsonText(json) << '\n';
    return false;
  }
  for (const std::string& what : wrong) out << "backup: " << what << '\n';
  out << wrong.size() << " problems: use another backup\n";
  return false;
}

absl::Status Restore(const std::string& backup, const std::string& data,
                     const std::string& wal_folder, Format format, std::ostream& out) {
  ASSIGN_OR_RETURN(const BackupInfo restored,
                   RestoreBackup({backup, data, wal_folder, ProgressLine("restoring")}));
  Json json = BackupJson(restored);
  json["data"] = data;
  if (format == Format::kJson) {
    out << JsonText(json) << '\n';
  } else {
    out << "restored " << restored.files << " files (" << restored.bytes << " bytes) of "
        << TimeText(absl::ToUnixMicros(restored.time)) << " into " << data
        << "\nstart on it: actad --data " << data
        << (wal_folder.empty() ? "" : " --storage.wal_dir=") << wal_folder << '\n';
  }
  return absl::OkStatus();
}

}  // namespace acta::inspect
