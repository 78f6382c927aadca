#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/ids.h"
#include "tools/inspect/data_folder.h"

namespace acta::inspect {

// What is wrong, and where: events of a partition, or anything else that has a name.
struct Finding {
  std::string where;
  std::optional<Offset> first;
  std::optional<Offset> last;
  std::string problem;
};

// Batches of one partition in one slice, without a gap.
struct Piece {
  uint64_t slice = 0;
  Offset first;
  Offset last;  // Inclusive.
  int64_t batches = 0;
  uint64_t begin_bytes = 0;  // Payload bytes of the partition below `first`.
  uint64_t end_bytes = 0;
  int64_t first_time_us = 0;
  int64_t last_time_us = 0;
};

struct LogScan {
  std::map<PartitionId, std::vector<Piece>> pieces;  // By offset.
  std::vector<Finding> findings;
  int64_t batches = 0;
  int64_t payload_bytes = 0;
};

// Reads every batch of every slice: headers and keys, and with `payloads` the checksums and number
// of the events too. Progress goes to stderr where that is a terminal.
LogScan ScanLog(const DataFolder& folder, bool payloads);

}  // namespace acta::inspect
