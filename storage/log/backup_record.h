#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/storage/v1/backup.pb.h"
#include "storage/backup.h"
#include "storage/log/witness.h"

namespace acta {

// The name of a backup that was made at this time: 2026-01-31T23-59-59Z.
std::string BackupId(absl::Time time);
// So does each name begin; another of the same second has a number behind it.
bool IsBackupId(absl::string_view name);

// Behind a dot and a name: a folder that is not, or no more, a backup.
inline constexpr absl::string_view kUnfinished = ".unfinished";
inline constexpr absl::string_view kDeleted = ".deleted";

// The ids of such folders, with kUnfinished or kDeleted behind them. In no order.
std::vector<std::string> HiddenBackups(const std::string& folder, absl::string_view suffix);

// What is there of a backup that is not to be, in `path`: from now on it is one that was deleted,
// and SweepBackups() takes its files. Where that name is taken they go at once.
void GiveUpBackup(const std::string& folder, const std::string& id, const std::string& path);

// The file BACKUP as it is written.
std::string EncodeBackupRecord(const storage::v1::BackupRecord& record);
// Of the backup in the folder `path`. Errors: FOLDER_UNUSABLE: it is none; DATA_CORRUPTED.
absl::StatusOr<storage::v1::BackupRecord> LoadBackupRecord(const std::string& path);
// Of all its files.
int64_t BytesOf(const storage::v1::BackupRecord& record);
BackupInfo DescribeBackup(const std::string& path, const storage::v1::BackupRecord& record);

// A folder that is a backup is not to be started on: that would change it, and what others share
// with it. Errors: FOLDER_UNUSABLE.
absl::Status RefuseBackup(const std::string& folder);

// What a new life of the store adds to its incarnation. One that was restored goes its own way from
// then on, while the store that it was made of may have had more lives, and another restore of the
// same backup has others: so many are left out, at random, that no two have the same number.
uint32_t NextLife(const WitnessRecord& witness);

}  // namespace acta
