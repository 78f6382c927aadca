#pragma once

#include <rocksdb/db.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace acta {

using FamilyList = std::vector<rocksdb::ColumnFamilyDescriptor>;

// A family of the index of a slice, which only repeats what is in the log.
bool IsIndexFamily(const std::string& name);

// Beside the tables while an index has a file that cannot be read, or has lost one.
inline constexpr char kIndexDamaged[] = "INDEX-DAMAGED";
inline std::string IndexMarkPath(const std::string& path) { return path + "/" + kIndexDamaged; }

// Those of a database that are no index.
FamilyList WithoutIndexes(const FamilyList& families);

// A database does not open with a table file that is missing, or whose end cannot be read.
// IndexRescue takes such files out of its MANIFEST, as by `ldb unsafe_remove_sst_file`, when they
// are of indexes: it can be opened then, without what was in them. Not while it is open.
//
// Threads: one.
class IndexRescue {
 public:
  IndexRescue(rocksdb::DBOptions options, std::string path, FamilyList families)
      : options_(std::move(options)), path_(std::move(path)), families_(std::move(families)) {}

  // The table files that `failure` of an opening is about. Errors: `failure`, when it is no damage
  // or not of indexes alone.
  absl::StatusOr<std::set<uint64_t>> Find(const rocksdb::Status& failure);
  // Whoever opens the database next has to know that the index is not whole.
  absl::Status Forget(const std::set<uint64_t>& files) const;

 private:
  const rocksdb::DBOptions options_;
  const std::string path_;
  const FamilyList families_;
  std::optional<std::set<uint64_t>> of_the_log_;  // Table files.
};

}  // namespace acta
