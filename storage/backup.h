#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/base/ids.h"

namespace acta {

// A backup is a folder: a whole data folder as it was at one moment, and a list of its files with
// their checksums. Files that it has in common with the one before are the same file with another
// name. It is no data folder itself: RestoreBackup() (storage/log/backup_restore.h) makes one of
// it.
struct BackupInfo {
  std::string id;  // The name of its folder: when it was made, in UTC.
  std::string path;
  absl::Time time;  // Server time of the moment it shows.
  std::string store_id;
  Incarnation incarnation;
  GroupNumber group;  // Every commit group up to it is there.
  int64_t files = 0;
  int64_t bytes = 0;
  int64_t added_bytes = 0;  // Of the files that the one before did not have.
  std::string problem;      // Not empty: it cannot be used, and this is why.
};

struct BackupOrder {
  std::string folder;            // Of all backups of this store; created when missing.
  int64_t bytes_per_second = 0;  // 0: as fast as it goes.
  // Told of bytes copied so far and of those to be copied; false: give up. May be empty.
  std::function<bool(int64_t copied, int64_t total)> go_on;
};

// Whoever can make a backup of a store that is in use.
class BackupSource {
 public:
  virtual ~BackupSource() = default;

  // Makes one: writers and readers go on. Everything that was synced when it was called is in it;
  // it is on disk when it is answered. Blocks for as long as copying takes. When it fails there is
  // none, and what was copied is left to SweepBackups(). Errors: BACKUP_RUNNING; FOLDER_UNUSABLE;
  // DISK_FULL, also when what is left for events would come below the soft watermark; CANCELLED
  // without a reason: `go_on` said so.
  virtual absl::StatusOr<BackupInfo> Backup(const BackupOrder& order) = 0;
};

// The backups in a folder, oldest first; empty when there is no such folder. Those of which the
// list of files cannot be read have a `problem`. Blocks. Errors: FOLDER_UNUSABLE.
absl::StatusOr<std::vector<BackupInfo>> ListBackups(const std::string& folder);

// From now on it is no backup, also after a power cut; its files stay until SweepBackups(). Errors:
// BACKUP_NOT_FOUND; FOLDER_UNUSABLE, DISK_FULL: it may be there, or come back with a power cut.
absl::Status DeleteBackup(const std::string& folder, const std::string& id);

struct SweepOrder {
  std::string folder;
  // Of what leaves the disk, or what waits within half a minute; 0: as fast as it goes.
  int64_t bytes_per_second = 0;
  std::function<bool()> go_on;  // False: give up. May be empty.
};

// Removes what DeleteBackup(), or a backup that was given up, left, file by file: a disk that is to
// forget gigabytes at once is slow for everybody. Blocks for as long as that takes. Errors: the
// first file that stays, and why; the others go.
absl::Status SweepBackups(const SweepOrder& order);

}  // namespace acta
