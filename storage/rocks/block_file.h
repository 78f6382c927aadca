#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace rocksdb {
class FileSystem;
class FSRandomRWFile;
}  // namespace rocksdb

namespace acta {

// A small file of fixed size that is overwritten in place, on the same file system object as the
// database, so that what tests do to the disk is done to it too.
//
// Threads: one at a time.
class BlockFile {
 public:
  // Opens or creates it with `size` zero bytes, synced together with its folder.
  static absl::StatusOr<std::unique_ptr<BlockFile>> Open(
      std::shared_ptr<rocksdb::FileSystem> file_system, const std::string& path, size_t size);
  ~BlockFile();

  absl::StatusOr<std::string> Read(uint64_t offset, size_t size) const;
  // Written and synced (fdatasync) when it returns.
  absl::Status Write(uint64_t offset, absl::string_view bytes);
  bool created() const { return created_; }

 private:
  BlockFile(std::shared_ptr<rocksdb::FileSystem> file_system,
            std::unique_ptr<rocksdb::FSRandomRWFile> file, bool created);

  std::shared_ptr<rocksdb::FileSystem> file_system_;
  std::unique_ptr<rocksdb::FSRandomRWFile> file_;
  const bool created_;
};

}  // namespace acta
