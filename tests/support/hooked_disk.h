#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <rocksdb/file_system.h>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "tests/support/disk_image.h"

namespace acta {

// One thing that a disk is asked to do. Folders have no slash at their end.
struct DiskCall {
  DiskOperation::Kind kind;
  absl::string_view path;
  absl::string_view other = {};  // kRename, kLink: to.
  uint64_t offset = 0;
  rocksdb::Slice data = {};  // kAppend, kOverwrite.

  bool Changes() const { return kind != DiskOperation::Kind::kOpen && !Reads(); }
  bool Reads() const { return kind == DiskOperation::Kind::kRead; }
};

// A disk before another one, with a hook that every call of interest passes. What it hands out goes
// no further than the disk.
//
// Threads: any.
class HookedDisk : public rocksdb::FileSystemWrapper {
 public:
  // Null: the machine's own.
  explicit HookedDisk(std::shared_ptr<rocksdb::FileSystem> disk = nullptr);
  const char* Name() const override { return "acta.hooked_disk"; }

  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) final;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) final;
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) final;
  rocksdb::IOStatus NewRandomRWFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                    rocksdb::IODebugContext* debug) final;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* folder,
                                 rocksdb::IODebugContext* debug) final;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) final;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) final;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) final;
  rocksdb::IOStatus CreateDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) final;
  // A folder that is there is not made: no call.
  rocksdb::IOStatus CreateDirIfMissing(const std::string& path, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) final;

 protected:
  // Has the disk below do it; a write may be of other bytes than those of the call.
  using Forward = absl::FunctionRef<rocksdb::IOStatus(const rocksdb::Slice& data)>;
  // In place of every call; called by many threads.
  virtual rocksdb::IOStatus Do(const DiskCall& call, Forward forward) = 0;

 private:
  class Sequential;
  class RandomAccess;
  class Appended;
  class InPlace;
  class Folder;
};

}  // namespace acta
