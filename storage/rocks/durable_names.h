#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace rocksdb {
class FileSystem;
}

namespace acta {

// Names that a power cut does not take: what is created or renamed here is synced with the folder
// it is in. On the same file system object as the database, so that what tests do to the disk is
// done to it too.

// Creates the folder and the parents that are missing. Its own name is synced even when it was
// there: whoever made it may have been killed before that.
absl::Status MakeDurableFolder(rocksdb::FileSystem& file_system, const std::string& folder);

// Written, synced, renamed into place, folder synced.
absl::Status WriteDurableFile(rocksdb::FileSystem& file_system, const std::string& folder,
                              const std::string& name, absl::string_view bytes);

absl::Status SyncFolder(rocksdb::FileSystem& file_system, const std::string& folder);

}  // namespace acta
