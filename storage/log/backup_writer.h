#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/backup.h"
#include "storage/log/witness.h"
#include "storage/rocks/store_cut.h"

namespace acta {

// A store at one moment, ready to be copied.
struct StoreCut {
  std::vector<CutFile> files;
  WitnessRecord witness;  // As the backup's is to be, except for the list of log files.
  absl::Time time;
};

struct BackupPlace {
  std::string data;  // The data folder.
  // Of free disk, where backups are on the disk of the data folder: it stays free.
  int64_t reserve_bytes = 0;
  std::shared_ptr<rocksdb::FileSystem> files;
};

// Copies a cut into a new backup: on disk, with its name, when it returns; when it fails nothing is
// left. What another life of the broker left half made goes first. Blocks; one at a time in a
// folder. Errors: FOLDER_UNUSABLE, also for a folder with backups of another store; DISK_FULL;
// CANCELLED.
absl::StatusOr<BackupInfo> WriteBackup(const StoreCut& cut, const BackupPlace& place,
                                       const BackupOrder& order);

// An error on the way as the caller of a backup is told it: DISK_FULL and FOLDER_UNUSABLE where the
// status has no reason.
absl::Status BackupError(const absl::Status& status, const std::string& folder);

// What a cut left in a data folder.
void RemoveCut(const std::string& data);

}  // namespace acta
