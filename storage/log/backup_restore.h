#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/backup.h"

namespace acta {

// Told of bytes done so far and of all. May be empty.
using BackupProgress = std::function<void(int64_t done, int64_t total)>;

// Reads every file of the backup in the folder `path`. What is wrong with it, a sentence each;
// empty: it is whole. Blocks. Errors: FOLDER_UNUSABLE: it is no backup; DATA_CORRUPTED.
absl::StatusOr<std::vector<std::string>> CheckBackup(const std::string& path,
                                                     const BackupProgress& progress);

struct RestoreOrder {
  std::string backup;   // The folder of one backup.
  std::string data;     // The new data folder: it has to be empty, or not to be there.
  std::string wal_dir;  // Of the write-ahead log, if not in `data`: empty as well.
  BackupProgress progress;
};

// Makes a data folder of a backup, which stays as it is. Every file is checked while it is copied;
// the folder can be started on only when all of it is there and on disk. When it fails nothing is
// left. Blocks. Errors: FOLDER_UNUSABLE, FOLDER_IN_USE, FORMAT_TOO_NEW, DISK_FULL, DATA_CORRUPTED.
absl::StatusOr<BackupInfo> RestoreBackup(const RestoreOrder& order);

}  // namespace acta
