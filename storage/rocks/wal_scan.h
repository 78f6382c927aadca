#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "storage/base/ids.h"

namespace rocksdb {
class FileSystem;
}

namespace acta {

// Looks in the write-ahead log files of a folder for commit groups of this incarnation above
// `recovered`. The database ends its replay without a word at the first record it cannot read; a
// whole group behind that place tells damage from an end that was never written.
//
// Returns a sentence that names such a group; empty: there is none. Errors: a file cannot be read.
absl::StatusOr<std::string> FindUnreachedGroup(rocksdb::FileSystem& files,
                                               const std::string& folder, Incarnation incarnation,
                                               GroupNumber recovered);

}  // namespace acta
