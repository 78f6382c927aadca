#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "storage/base/ids.h"
#include "tools/inspect/data_folder.h"
#include "tools/inspect/partition_events.h"
#include "tools/inspect/print.h"

namespace acta::inspect {

// Each command prints what it found of an opened folder; true: no damage.

// The store, its topics with their partitions, the ledger, its groups with their positions.
bool List(const DataFolder& folder, Format format, std::ostream& out);

// Everything that can be checked, checked.
bool Verify(const DataFolder& folder, Format format, std::ostream& out);

struct DumpRange {
  std::string tenant = "default";
  std::string topic;
  std::optional<int32_t> partition;  // Not set: all, one after the other.
  OffsetRange offsets;
};
// Events as JSON lines, by offset. Errors: TOPIC_NOT_FOUND.
absl::StatusOr<bool> Dump(const DataFolder& folder, const DumpRange& range, std::ostream& out);

// What groups did with events, record by record of the broker's own log: as text, or JSON lines.
bool ListLedger(const DataFolder& folder, const OffsetRange& range, Format format,
                std::ostream& out);

// Whether the folder is a backup.
bool IsBackup(const std::string& folder);
// Prints what is wrong with the files of a backup; true: nothing. Errors: DATA_CORRUPTED.
absl::StatusOr<bool> VerifyFiles(const std::string& backup, Format format, std::ostream& out);
// What RestoreBackup() says (storage/log/backup_restore.h). The one command that writes: only into
// a folder that it makes or finds empty.
absl::Status Restore(const std::string& backup, const std::string& data,
                     const std::string& wal_folder, Format format, std::ostream& out);

}  // namespace acta::inspect
