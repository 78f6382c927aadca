#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/backup.h"
#include "storage/log/local_engine_options.h"
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
  // What stays free of its disk for events, wherever backups are: the second names of a cut keep
  // tables that retention has dropped.
  int64_t reserve_bytes = 0;
  int64_t hard_bytes = 0;  // Below that nothing is written any more.
  std::shared_ptr<rocksdb::FileSystem> files;
};

// Copies a cut into a new backup: on disk, with its name, when it returns; when it fails there is
// none, and what was copied is left to SweepBackups(), as is first what another life of the broker
// left half made. A file of the cut goes once it was brought. Blocks. Errors: FOLDER_IN_USE:
// another backup is made into that folder; FOLDER_UNUSABLE, also for a folder with backups of
// another store; DISK_FULL; CANCELLED.
absl::StatusOr<BackupInfo> WriteBackup(const StoreCut& cut, const BackupPlace& place,
                                       const BackupOrder& order);

// Asked before the cut is made, for which the newest file of the log is copied beside it, `bytes`
// long. Makes the folder of the backups. Errors: DISK_FULL, FOLDER_UNUSABLE.
absl::Status CheckRoomForCut(const BackupPlace& place, const BackupOrder& order,
                             const std::string& log, int64_t bytes);

// An error on the way as the caller of a backup is told it: DISK_FULL and FOLDER_UNUSABLE where the
// status has no reason.
absl::Status BackupError(const absl::Status& status, const std::string& folder);

// Where the log has its files, or the folder that they are in.
const std::string& LogFolder(const LocalEngineOptions& options);
CutFolders FoldersOfCut(const LocalEngineOptions& options);
// What a cut left.
void RemoveCut(const LocalEngineOptions& options);

}  // namespace acta
