#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace rocksdb {
class DB;
}

namespace acta {

// A file of the database as it was at one moment.
struct CutFile {
  std::string name;  // In the folder of the database.
  std::string path;  // Where it can be read, unchanged up to `bytes`; empty: it is `contents`.
  uint64_t bytes = 0;
  bool table = false;  // A file that was never changed since it got its name.
  std::string contents;
};

// Everything the database was at one moment, log files included, for copying it while it goes on:
// each file gets a second name in `folder`, which is new, or is copied into it where that cannot
// be. Files of tables may be deleted meanwhile; their second name keeps them. Takes as long as
// copying the newest log file takes. No family may be created until it returns: what is written to
// it would be in the log, and the family not. Errors: RESOURCE_EXHAUSTED: no room for a copy.
absl::StatusOr<std::vector<CutFile>> CutStore(rocksdb::DB& db, const std::string& folder);

}  // namespace acta
