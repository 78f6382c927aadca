#include "tests/oracle/moment_disk.h"

#include <utility>

namespace acta::oracle {

using rocksdb::DataVerificationInfo;
using rocksdb::FSRandomRWFile;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

constexpr size_t kBlockBytes = 4096;

template <typename Act>
IOStatus Around(Moments& moments, const std::string& path, absl::string_view done, Act act) {
  moments.Reached("before", path, done);
  IOStatus status = act();
  moments.Reached("after", path, done);
  return status;
}

}  // namespace

class MomentDisk::Appended final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  Appended(std::unique_ptr<FSWritableFile> file, std::shared_ptr<Moments> moments, std::string path)
      : FSWritableFileOwnerWrapper(std::move(file)),
        moments_(std::move(moments)),
        path_(std::move(path)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    Tear(data, options);
    return Around(*moments_, path_, "write",
                  [&] { return FSWritableFileOwnerWrapper::Append(data, options, debug); });
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const DataVerificationInfo& info,
                  IODebugContext* debug) override {
    Tear(data, options);
    return Around(*moments_, path_, "write",
                  [&] { return FSWritableFileOwnerWrapper::Append(data, options, info, debug); });
  }
  // Past the page cache, as tables are written.
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            IODebugContext* debug) override {
    TearAt(data, offset, options);
    return Around(*moments_, path_, "write", [&] {
      return FSWritableFileOwnerWrapper::PositionedAppend(data, offset, options, debug);
    });
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            const DataVerificationInfo& info, IODebugContext* debug) override {
    TearAt(data, offset, options);
    return Around(*moments_, path_, "write", [&] {
      return FSWritableFileOwnerWrapper::PositionedAppend(data, offset, options, info, debug);
    });
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return Around(*moments_, path_, "sync",
                  [&] { return FSWritableFileOwnerWrapper::Sync(options, debug); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Around(*moments_, path_, "sync",
                  [&] { return FSWritableFileOwnerWrapper::Fsync(options, debug); });
  }
  bool IsSyncThreadSafe() const override { return true; }

 private:
  void Tear(const Slice& data, const IOOptions& options) {
    if (!moments_->Tears(path_)) return;
    FSWritableFileOwnerWrapper::Append(Slice(data.data(), data.size() / 2), options, nullptr)
        .PermitUncheckedError();
    Moments::Die();
  }
  // Such a write is of whole blocks.
  void TearAt(const Slice& data, uint64_t offset, const IOOptions& options) {
    if (!moments_->Tears(path_)) return;
    const size_t half = data.size() / 2 / kBlockBytes * kBlockBytes;
    FSWritableFileOwnerWrapper::PositionedAppend(Slice(data.data(), half), offset, options, nullptr)
        .PermitUncheckedError();
    Moments::Die();
  }

  const std::shared_ptr<Moments> moments_;
  const std::string path_;
};

class MomentDisk::InPlace final : public rocksdb::FSRandomRWFileOwnerWrapper {
 public:
  InPlace(std::unique_ptr<FSRandomRWFile> file, std::shared_ptr<Moments> moments, std::string path)
      : FSRandomRWFileOwnerWrapper(std::move(file)),
        moments_(std::move(moments)),
        path_(std::move(path)) {}

  IOStatus Write(uint64_t offset, const Slice& data, const IOOptions& options,
                 IODebugContext* debug) override {
    if (moments_->Tears(path_)) {
      FSRandomRWFileOwnerWrapper::Write(offset, Slice(data.data(), data.size() / 2), options, debug)
          .PermitUncheckedError();
      Moments::Die();
    }
    return Around(*moments_, path_, "write",
                  [&] { return FSRandomRWFileOwnerWrapper::Write(offset, data, options, debug); });
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return Around(*moments_, path_, "sync",
                  [&] { return FSRandomRWFileOwnerWrapper::Sync(options, debug); });
  }

 private:
  const std::shared_ptr<Moments> moments_;
  const std::string path_;
};

MomentDisk::MomentDisk(std::shared_ptr<rocksdb::FileSystem> target,
                       std::shared_ptr<Moments> moments)
    : FileSystemWrapper(std::move(target)), moments_(std::move(moments)) {}

IOStatus MomentDisk::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                     std::unique_ptr<FSWritableFile>* file, IODebugContext* debug) {
  IOStatus status = Around(*moments_, path, "create", [&] {
    return FileSystemWrapper::NewWritableFile(path, options, file, debug);
  });
  if (status.ok()) *file = std::make_unique<Appended>(std::move(*file), moments_, path);
  return status;
}

IOStatus MomentDisk::NewRandomRWFile(const std::string& path, const rocksdb::FileOptions& options,
                                     std::unique_ptr<FSRandomRWFile>* file, IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::NewRandomRWFile(path, options, file, debug);
  if (status.ok()) *file = std::make_unique<InPlace>(std::move(*file), moments_, path);
  return status;
}

IOStatus MomentDisk::DeleteFile(const std::string& path, const IOOptions& options,
                                IODebugContext* debug) {
  return Around(*moments_, path, "delete",
                [&] { return FileSystemWrapper::DeleteFile(path, options, debug); });
}

IOStatus MomentDisk::RenameFile(const std::string& from, const std::string& to,
                                const IOOptions& options, IODebugContext* debug) {
  return Around(*moments_, to, "rename",
                [&] { return FileSystemWrapper::RenameFile(from, to, options, debug); });
}

}  // namespace acta::oracle
