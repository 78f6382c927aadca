#include "tests/support/faulty_disk.h"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace acta {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class RecordedFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  RecordedFile(std::unique_ptr<rocksdb::FSWritableFile> file, FaultyDisk& disk, std::string path)
      : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk), path_(std::move(path)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    const IOStatus noted = NoteAppend(data);
    return noted.ok() ? FSWritableFileOwnerWrapper::Append(data, options, debug) : noted;
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& info, IODebugContext* debug) override {
    const IOStatus noted = NoteAppend(data);
    return noted.ok() ? FSWritableFileOwnerWrapper::Append(data, options, info, debug) : noted;
  }
  IOStatus PositionedAppend(const rocksdb::Slice& data, uint64_t offset, const IOOptions& options,
                            IODebugContext* debug) override {
    const IOStatus noted = NoteAt(data, offset);
    return noted.ok() ? FSWritableFileOwnerWrapper::PositionedAppend(data, offset, options, debug)
                      : noted;
  }
  IOStatus PositionedAppend(const rocksdb::Slice& data, uint64_t offset, const IOOptions& options,
                            const rocksdb::DataVerificationInfo& info,
                            IODebugContext* debug) override {
    const IOStatus noted = NoteAt(data, offset);
    return noted.ok()
               ? FSWritableFileOwnerWrapper::PositionedAppend(data, offset, options, info, debug)
               : noted;
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    const IOStatus noted = disk_.OnWrite({FaultyDisk::Kind::kTruncate, path_, "", size, ""});
    size_ = size;
    return noted.ok() ? FSWritableFileOwnerWrapper::Truncate(size, options, debug) : noted;
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    const IOStatus noted = disk_.OnSync(path_);
    return noted.ok() ? FSWritableFileOwnerWrapper::Sync(options, debug) : noted;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    const IOStatus noted = disk_.OnSync(path_);
    return noted.ok() ? FSWritableFileOwnerWrapper::Fsync(options, debug) : noted;
  }
  bool IsSyncThreadSafe() const override { return true; }

 private:
  IOStatus NoteAppend(const rocksdb::Slice& data) {
    const uint64_t at = size_;
    size_ += data.size();
    return disk_.OnWrite({FaultyDisk::Kind::kAppend, path_, "", at, data.ToString()});
  }
  IOStatus NoteAt(const rocksdb::Slice& data, uint64_t offset) {
    return disk_.OnWrite({FaultyDisk::Kind::kOverwrite, path_, "", offset, data.ToString()});
  }

  FaultyDisk& disk_;
  const std::string path_;
  uint64_t size_ = 0;
};

class RecordedBlocks final : public rocksdb::FSRandomRWFileOwnerWrapper {
 public:
  RecordedBlocks(std::unique_ptr<rocksdb::FSRandomRWFile> file, FaultyDisk& disk, std::string path)
      : FSRandomRWFileOwnerWrapper(std::move(file)), disk_(disk), path_(std::move(path)) {}

  IOStatus Write(uint64_t offset, const rocksdb::Slice& data, const IOOptions& options,
                 IODebugContext* debug) override {
    const IOStatus noted =
        disk_.OnWrite({FaultyDisk::Kind::kOverwrite, path_, "", offset, data.ToString()});
    return noted.ok() ? FSRandomRWFileOwnerWrapper::Write(offset, data, options, debug) : noted;
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    const IOStatus noted = disk_.OnSync(path_);
    return noted.ok() ? FSRandomRWFileOwnerWrapper::Sync(options, debug) : noted;
  }

 private:
  FaultyDisk& disk_;
  const std::string path_;
};

bool MakesLonger(const FaultyDisk::Operation& operation) {
  std::error_code missing;
  const uint64_t size = std::filesystem::file_size(operation.path, missing);
  return operation.offset + operation.bytes.size() > (missing ? 0 : size);
}

class RecordedFolder final : public rocksdb::FSDirectoryWrapper {
 public:
  RecordedFolder(std::unique_ptr<rocksdb::FSDirectory> folder, FaultyDisk& disk, std::string path)
      : FSDirectoryWrapper(std::move(folder)), disk_(disk), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    disk_.OnSyncFolder(path_);
    return FSDirectoryWrapper::Fsync(options, debug);
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& more) override {
    disk_.OnSyncFolder(path_);
    return FSDirectoryWrapper::FsyncWithDirOptions(options, debug, more);
  }

 private:
  FaultyDisk& disk_;
  const std::string path_;
};

// The database asks for some folders with a slash at the end.
std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

FaultyDisk::FaultyDisk() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}

void FaultyDisk::FailWrite(int64_t n) {
  MutexLock lock(mu_);
  fail_write_at_ = writes_ + n;
}
void FaultyDisk::FailSync(int64_t n) {
  MutexLock lock(mu_);
  fail_sync_at_ = syncs_ + n;
}
void FaultyDisk::FailOpen(int64_t n) {
  MutexLock lock(mu_);
  fail_open_at_ = opens_ + n;
}
int64_t FaultyDisk::opens() const {
  MutexLock lock(mu_);
  return opens_;
}
void FaultyDisk::FullWhile(const std::string& file) {
  MutexLock lock(mu_);
  filler_ = file;
}
int64_t FaultyDisk::writes() const {
  MutexLock lock(mu_);
  return writes_;
}
int64_t FaultyDisk::syncs() const {
  MutexLock lock(mu_);
  return syncs_;
}
void FaultyDisk::Record(std::vector<Operation> before) {
  MutexLock lock(mu_);
  operations_ = std::move(before);
  recording_ = true;
}
std::vector<DiskOperation> FaultyDisk::record(size_t first_so_many) const {
  MutexLock lock(mu_);
  const size_t count = std::min(first_so_many, operations_.size());
  return {operations_.begin(), operations_.begin() + static_cast<std::ptrdiff_t>(count)};
}
size_t FaultyDisk::operations() const {
  MutexLock lock(mu_);
  return operations_.size();
}
std::vector<size_t> FaultyDisk::SyncPoints() const {
  MutexLock lock(mu_);
  std::vector<size_t> points;
  for (size_t i = 0; i < operations_.size(); ++i) {
    const Kind kind = operations_[i].kind;
    if (kind == Kind::kSync || kind == Kind::kSyncFolder) points.push_back(i + 1);
  }
  return points;
}

void FaultyDisk::Note(Operation operation) {
  MutexLock lock(mu_);
  if (recording_) operations_.push_back(std::move(operation));
}

IOStatus FaultyDisk::OnWrite(Operation operation) {
  MutexLock lock(mu_);
  ++writes_;
  if (fail_write_at_ != 0 && writes_ >= fail_write_at_) return IOStatus::IOError("injected: write");
  if (!filler_.empty() && std::filesystem::exists(filler_) && MakesLonger(operation)) {
    return IOStatus::NoSpace("injected: no space");
  }
  if (recording_) operations_.push_back(std::move(operation));
  return IOStatus::OK();
}

IOStatus FaultyDisk::OnSync(const std::string& path) {
  MutexLock lock(mu_);
  ++syncs_;
  if (fail_sync_at_ != 0 && syncs_ >= fail_sync_at_) return IOStatus::IOError("injected: sync");
  if (recording_) operations_.push_back({Kind::kSync, path, "", 0, ""});
  return IOStatus::OK();
}

void FaultyDisk::OnSyncFolder(const std::string& path) {
  Note({Kind::kSyncFolder, path, "", 0, ""});
}

IOStatus FaultyDisk::OnOpen() {
  MutexLock lock(mu_);
  ++opens_;
  const bool fails = fail_open_at_ != 0 && opens_ >= fail_open_at_;
  return fails ? IOStatus::IOError("injected: open") : IOStatus::OK();
}

IOStatus FaultyDisk::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                     std::unique_ptr<rocksdb::FSWritableFile>* file,
                                     IODebugContext* debug) {
  IOStatus status = OnOpen();
  if (status.ok()) status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
  if (!status.ok()) return status;
  Note({Kind::kCreate, path, "", 0, ""});
  *file = std::make_unique<RecordedFile>(std::move(*file), *this, path);
  return status;
}

IOStatus FaultyDisk::NewRandomRWFile(const std::string& path, const rocksdb::FileOptions& options,
                                     std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                     IODebugContext* debug) {
  IOStatus status = OnOpen();
  if (status.ok()) status = FileSystemWrapper::NewRandomRWFile(path, options, file, debug);
  if (!status.ok()) return status;
  *file = std::make_unique<RecordedBlocks>(std::move(*file), *this, path);
  return status;
}

IOStatus FaultyDisk::DeleteFile(const std::string& path, const IOOptions& options,
                                IODebugContext* debug) {
  Note({Kind::kDelete, path, "", 0, ""});
  return FileSystemWrapper::DeleteFile(path, options, debug);
}

IOStatus FaultyDisk::RenameFile(const std::string& from, const std::string& to,
                                const IOOptions& options, IODebugContext* debug) {
  Note({Kind::kRename, from, to, 0, ""});
  return FileSystemWrapper::RenameFile(from, to, options, debug);
}

IOStatus FaultyDisk::CreateDir(const std::string& path, const IOOptions& options,
                               IODebugContext* debug) {
  const IOStatus status = FileSystemWrapper::CreateDir(path, options, debug);
  if (status.ok()) Note({Kind::kMakeFolder, WithoutSlash(path), "", 0, ""});
  return status;
}

IOStatus FaultyDisk::CreateDirIfMissing(const std::string& path, const IOOptions& options,
                                        IODebugContext* debug) {
  std::error_code unknown;
  const bool there = std::filesystem::exists(path, unknown);
  const IOStatus status = FileSystemWrapper::CreateDirIfMissing(path, options, debug);
  if (status.ok() && !there) Note({Kind::kMakeFolder, WithoutSlash(path), "", 0, ""});
  return status;
}

IOStatus FaultyDisk::NewDirectory(const std::string& path, const IOOptions& options,
                                  std::unique_ptr<rocksdb::FSDirectory>* folder,
                                  IODebugContext* debug) {
  const IOStatus status = FileSystemWrapper::NewDirectory(path, options, folder, debug);
  if (status.ok()) {
    *folder = std::make_unique<RecordedFolder>(std::move(*folder), *this, WithoutSlash(path));
  }
  return status;
}

void FaultyDisk::Materialize(size_t cut, uint64_t seed, const std::string& from,
                             const std::string& to, Loss loss) const {
  LeaveImage(record(cut), seed, loss, from, to);
}

}  // namespace acta
