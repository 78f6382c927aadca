#pragma once

#include <memory>
#include <string>
#include <utility>

#include <rocksdb/file_system.h>

namespace acta {

// A disk that says "synced" and did not: what it is told to sync never reaches the disk below as a
// sync. With it under an engine, a crash test has to find lost writes.
class LyingDisk final : public rocksdb::FileSystemWrapper {
 public:
  enum class Lie {
    kBytes,  // Of log files.
    kNames,  // Of every folder.
  };
  explicit LyingDisk(std::shared_ptr<rocksdb::FileSystem> disk, Lie lie = Lie::kBytes)
      : FileSystemWrapper(std::move(disk)), lie_(lie) {}
  const char* Name() const override { return "acta.lying_disk"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    const rocksdb::IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
    const bool wal = path.size() > 4 && path.compare(path.size() - 4, 4, ".log") == 0;
    if (status.ok() && wal && lie_ == Lie::kBytes) {
      *file = std::make_unique<LyingFile>(std::move(*file));
    }
    return status;
  }
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* folder,
                                 rocksdb::IODebugContext* debug) override {
    const rocksdb::IOStatus status = FileSystemWrapper::NewDirectory(path, options, folder, debug);
    if (status.ok() && lie_ == Lie::kNames) {
      *folder = std::make_unique<LyingFolder>(std::move(*folder));
    }
    return status;
  }

 private:
  class LyingFile final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;
    rocksdb::IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
      return rocksdb::IOStatus::OK();
    }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
      return rocksdb::IOStatus::OK();
    }
    bool IsSyncThreadSafe() const override { return true; }
  };

  class LyingFolder final : public rocksdb::FSDirectoryWrapper {
   public:
    using FSDirectoryWrapper::FSDirectoryWrapper;
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
      return rocksdb::IOStatus::OK();
    }
    rocksdb::IOStatus FsyncWithDirOptions(const rocksdb::IOOptions&, rocksdb::IODebugContext*,
                                          const rocksdb::DirFsyncOptions&) override {
      return rocksdb::IOStatus::OK();
    }
  };

  const Lie lie_;
};

}  // namespace acta
