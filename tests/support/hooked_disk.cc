#include "tests/support/hooked_disk.h"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace acta {

using Kind = DiskOperation::Kind;
using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

// The database asks for some folders with a slash at the end.
absl::string_view WithoutSlash(absl::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

}  // namespace

class HookedDisk::Sequential final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  Sequential(std::unique_ptr<rocksdb::FSSequentialFile> file, HookedDisk& disk, std::string path)
      : FSSequentialFileOwnerWrapper(std::move(file)), disk_(disk), path_(std::move(path)) {}

  IOStatus Read(size_t size, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) override {
    return disk_.Do({Kind::kRead, path_}, [&](const Slice&) {
      return FSSequentialFileOwnerWrapper::Read(size, options, result, scratch, debug);
    });
  }

 private:
  HookedDisk& disk_;
  const std::string path_;
};

class HookedDisk::RandomAccess final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  RandomAccess(std::unique_ptr<rocksdb::FSRandomAccessFile> file, HookedDisk& disk,
               std::string path)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), disk_(disk), path_(std::move(path)) {}

  IOStatus Read(uint64_t offset, size_t size, const IOOptions& options, Slice* result,
                char* scratch, IODebugContext* debug) const override {
    return disk_.Do({Kind::kRead, path_, "", offset}, [&](const Slice&) {
      return FSRandomAccessFileOwnerWrapper::Read(offset, size, options, result, scratch, debug);
    });
  }

 private:
  HookedDisk& disk_;
  const std::string path_;
};

class HookedDisk::Appended final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  Appended(std::unique_ptr<rocksdb::FSWritableFile> file, HookedDisk& disk, std::string path)
      : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk), path_(std::move(path)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = Write(end_, data, [&](const Slice& bytes) {
      return FSWritableFileOwnerWrapper::Append(bytes, options, debug);
    });
    if (status.ok()) end_ += data.size();
    return status;
  }
  // No disk here looks at the checksum that comes with it.
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  // Past the page cache, as tables are written: whole blocks.
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            IODebugContext* debug) override {
    return Write(offset, data, [&](const Slice& bytes) {
      return FSWritableFileOwnerWrapper::PositionedAppend(bytes, offset, options, debug);
    });
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            const rocksdb::DataVerificationInfo&, IODebugContext* debug) override {
    return PositionedAppend(data, offset, options, debug);
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    end_ = size_ = size;
    return disk_.Do({Kind::kTruncate, path_, "", size}, [&](const Slice&) {
      return FSWritableFileOwnerWrapper::Truncate(size, options, debug);
    });
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return disk_.Do({Kind::kSync, path_},
                    [&](const Slice&) { return FSWritableFileOwnerWrapper::Sync(options, debug); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return disk_.Do({Kind::kSync, path_}, [&](const Slice&) {
      return FSWritableFileOwnerWrapper::Fsync(options, debug);
    });
  }
  bool IsSyncThreadSafe() const override { return true; }

 private:
  // What lies inside a file that was written ahead does not make it longer.
  IOStatus Write(uint64_t offset, const Slice& data, Forward forward) {
    const uint64_t end = offset + data.size();
    const Kind kind = end > size_ ? Kind::kAppend : Kind::kOverwrite;
    IOStatus status = disk_.Do({kind, path_, "", offset, data}, forward);
    if (status.ok()) size_ = std::max(size_, end);
    return status;
  }

  HookedDisk& disk_;
  const std::string path_;
  uint64_t end_ = 0;   // Of what was appended.
  uint64_t size_ = 0;  // Of the file.
};

class HookedDisk::InPlace final : public rocksdb::FSRandomRWFileOwnerWrapper {
 public:
  InPlace(std::unique_ptr<rocksdb::FSRandomRWFile> file, HookedDisk& disk, std::string path)
      : FSRandomRWFileOwnerWrapper(std::move(file)), disk_(disk), path_(std::move(path)) {}

  IOStatus Read(uint64_t offset, size_t size, const IOOptions& options, Slice* result,
                char* scratch, IODebugContext* debug) const override {
    return disk_.Do({Kind::kRead, path_, "", offset}, [&](const Slice&) {
      return FSRandomRWFileOwnerWrapper::Read(offset, size, options, result, scratch, debug);
    });
  }
  IOStatus Write(uint64_t offset, const Slice& data, const IOOptions& options,
                 IODebugContext* debug) override {
    return disk_.Do({Kind::kOverwrite, path_, "", offset, data}, [&](const Slice& bytes) {
      return FSRandomRWFileOwnerWrapper::Write(offset, bytes, options, debug);
    });
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return disk_.Do({Kind::kSync, path_},
                    [&](const Slice&) { return FSRandomRWFileOwnerWrapper::Sync(options, debug); });
  }

 private:
  HookedDisk& disk_;
  const std::string path_;
};

class HookedDisk::Folder final : public rocksdb::FSDirectoryWrapper {
 public:
  Folder(std::unique_ptr<rocksdb::FSDirectory> folder, HookedDisk& disk, absl::string_view path)
      : FSDirectoryWrapper(std::move(folder)), disk_(disk), path_(path) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return disk_.Do({Kind::kSyncFolder, path_},
                    [&](const Slice&) { return FSDirectoryWrapper::Fsync(options, debug); });
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& more) override {
    return disk_.Do({Kind::kSyncFolder, path_}, [&](const Slice&) {
      return FSDirectoryWrapper::FsyncWithDirOptions(options, debug, more);
    });
  }

 private:
  HookedDisk& disk_;
  const std::string path_;
};

HookedDisk::HookedDisk(std::shared_ptr<rocksdb::FileSystem> disk)
    : FileSystemWrapper(disk != nullptr ? std::move(disk) : FileSystem::Default()) {}

IOStatus HookedDisk::NewSequentialFile(const std::string& path, const FileOptions& options,
                                       std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                       IODebugContext* debug) {
  IOStatus status = Do({Kind::kOpen, path}, [&](const Slice&) {
    return FileSystemWrapper::NewSequentialFile(path, options, file, debug);
  });
  if (status.ok()) *file = std::make_unique<Sequential>(std::move(*file), *this, path);
  return status;
}

IOStatus HookedDisk::NewRandomAccessFile(const std::string& path, const FileOptions& options,
                                         std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                         IODebugContext* debug) {
  IOStatus status = Do({Kind::kOpen, path}, [&](const Slice&) {
    return FileSystemWrapper::NewRandomAccessFile(path, options, file, debug);
  });
  if (status.ok()) *file = std::make_unique<RandomAccess>(std::move(*file), *this, path);
  return status;
}

IOStatus HookedDisk::NewWritableFile(const std::string& path, const FileOptions& options,
                                     std::unique_ptr<rocksdb::FSWritableFile>* file,
                                     IODebugContext* debug) {
  IOStatus status = Do({Kind::kCreate, path}, [&](const Slice&) {
    return FileSystemWrapper::NewWritableFile(path, options, file, debug);
  });
  if (status.ok()) *file = std::make_unique<Appended>(std::move(*file), *this, path);
  return status;
}

IOStatus HookedDisk::NewRandomRWFile(const std::string& path, const FileOptions& options,
                                     std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                     IODebugContext* debug) {
  IOStatus status = Do({Kind::kOpen, path}, [&](const Slice&) {
    return FileSystemWrapper::NewRandomRWFile(path, options, file, debug);
  });
  if (status.ok()) *file = std::make_unique<InPlace>(std::move(*file), *this, path);
  return status;
}

IOStatus HookedDisk::NewDirectory(const std::string& path, const IOOptions& options,
                                  std::unique_ptr<rocksdb::FSDirectory>* folder,
                                  IODebugContext* debug) {
  IOStatus status = Do({Kind::kOpen, WithoutSlash(path)}, [&](const Slice&) {
    return FileSystemWrapper::NewDirectory(path, options, folder, debug);
  });
  if (status.ok()) {
    *folder = std::make_unique<Folder>(std::move(*folder), *this, WithoutSlash(path));
  }
  return status;
}

IOStatus HookedDisk::DeleteFile(const std::string& path, const IOOptions& options,
                                IODebugContext* debug) {
  return Do({Kind::kDelete, path},
            [&](const Slice&) { return FileSystemWrapper::DeleteFile(path, options, debug); });
}

IOStatus HookedDisk::RenameFile(const std::string& from, const std::string& to,
                                const IOOptions& options, IODebugContext* debug) {
  return Do({Kind::kRename, from, to},
            [&](const Slice&) { return FileSystemWrapper::RenameFile(from, to, options, debug); });
}

IOStatus HookedDisk::LinkFile(const std::string& from, const std::string& to,
                              const IOOptions& options, IODebugContext* debug) {
  return Do({Kind::kLink, from, to},
            [&](const Slice&) { return FileSystemWrapper::LinkFile(from, to, options, debug); });
}

IOStatus HookedDisk::CreateDir(const std::string& path, const IOOptions& options,
                               IODebugContext* debug) {
  return Do({Kind::kMakeFolder, WithoutSlash(path)},
            [&](const Slice&) { return FileSystemWrapper::CreateDir(path, options, debug); });
}

IOStatus HookedDisk::CreateDirIfMissing(const std::string& path, const IOOptions& options,
                                        IODebugContext* debug) {
  const auto make = [&](const Slice&) {
    return FileSystemWrapper::CreateDirIfMissing(path, options, debug);
  };
  std::error_code unknown;
  return std::filesystem::exists(path, unknown) ? make({})
                                                : Do({Kind::kMakeFolder, WithoutSlash(path)}, make);
}

}  // namespace acta
