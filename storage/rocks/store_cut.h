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

// Where a cut has its files: those of the log by themselves, as they may be on another disk.
struct CutFolders {
  std::string tables;
  std::string log;
};

// Everything the database was at one moment, log files included, for copying it while it goes on:
// each file gets a second name in a folder, which is there and empty; the newest log file, which
// still grows, is copied. Files of tables may be deleted meanwhile; their second name keeps them.
// Takes as long as copying that log file takes. Until it returns no family may be created, as what
// is written to it would be in the log and the family not, and no file added to one, as rows that
// say so would be in the log and the file not. Errors: RESOURCE_EXHAUSTED: no room for the copy;
// INTERNAL: a file system without second names.
absl::StatusOr<std::vector<CutFile>> CutStore(rocksdb::DB& db, const CutFolders& folders);

}  // namespace acta
