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

}  // namespace acta::inspect
