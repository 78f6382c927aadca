#include "tests/oracle/power_cut_disk.h"

#include <unistd.h>

#include <csignal>
#include <functional>
#include <utility>

#include "absl/time/clock.h"

namespace acta::oracle {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class PowerCutDisk::File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(std::unique_ptr<rocksdb::FSWritableFile> file, std::shared_ptr<State> state,
       std::string path, absl::Duration sync_delay)
      : FSWritableFileOwnerWrapper(std::move(file)),
        state_(std::move(state)),
        path_(std::move(path)),
        sync_delay_(sync_delay) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    return Written([&] { return FSWritableFileOwnerWrapper::Append(data, options, debug); });
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& info, IODebugContext* debug) override {
    return Written([&] { return FSWritableFileOwnerWrapper::Append(data, options, info, debug); });
  }
  IOStatus PositionedAppend(const rocksdb::Slice& data, uint64_t offset, const IOOptions& options,
                            IODebugContext* debug) override {
    return Written(
        [&] { return FSWritableFileOwnerWrapper::PositionedAppend(data, offset, options, debug); });
  }
  IOStatus PositionedAppend(const rocksdb::Slice& data, uint64_t offset, const IOOptions& options,
                            const rocksdb::DataVerificationInfo& info,
                            IODebugContext* debug) override {
    return Written([&] {
      return FSWritableFileOwnerWrapper::PositionedAppend(data, offset, options, info, debug);
    });
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return Synced([&] { return FSWritableFileOwnerWrapper::Sync(options, debug); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Synced([&] { return FSWritableFileOwnerWrapper::Fsync(options, debug); });
  }
  bool IsSyncThreadSafe() const override { return true; }

 private:
  uint64_t SizeNow() { return FSWritableFileOwnerWrapper::GetFileSize(IOOptions(), nullptr); }
  IOStatus Written(const std::function<IOStatus()>& write) {
    MutexLock lock(state_->mu);
    if (state_->cut) return IOStatus::IOError("the power is off");
    IOStatus status = write();
    const auto it = state_->lengths.find(path_);
    if (it != state_->lengths.end()) it->second.written = SizeNow();
    return status;
  }
  // What was written before it began is synced when it ends, and no more is promised.
  IOStatus Synced(const std::function<IOStatus()>& sync) {
    uint64_t covered = 0;
    {
      MutexLock lock(state_->mu);
      if (state_->cut) return IOStatus::IOError("the power is off");
      const auto it = state_->lengths.find(path_);
      if (it != state_->lengths.end()) covered = it->second.written;
    }
    absl::SleepFor(sync_delay_);  // A slow disk, not a wait for anything.
    IOStatus status = sync();
    MutexLock lock(state_->mu);
    if (state_->cut) return IOStatus::IOError("the power is off");
    const auto it = state_->lengths.find(path_);
    if (status.ok() && it != state_->lengths.end() && it->second.synced < covered) {
      it->second.synced = covered;
    }
    return status;
  }

  const std::shared_ptr<State> state_;
  const std::string path_;
  const absl::Duration sync_delay_;
};

PowerCutDisk::PowerCutDisk(uint64_t seed, absl::Duration sync_delay)
    : FileSystemWrapper(rocksdb::FileSystem::Default()), sync_delay_(sync_delay), chance_(seed) {}

void PowerCutDisk::CutPower() {
  MutexLock lock(state_->mu);
  state_->cut = true;
  for (const auto& [path, length] : state_->lengths) {
    if (length.written <= length.synced) continue;
    const uint64_t kept =
        std::uniform_int_distribution<uint64_t>(length.synced, length.written)(chance_);
    if (truncate(path.c_str(), static_cast<off_t>(kept)) != 0) _exit(1);
  }
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

IOStatus PowerCutDisk::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
  if (!status.ok()) return status;
  {
    MutexLock lock(state_->mu);
    state_->lengths[path] = {};
  }
  *file = std::make_unique<File>(std::move(*file), state_, path, sync_delay_);
  return status;
}

IOStatus PowerCutDisk::DeleteFile(const std::string& path, const IOOptions& options,
                                  IODebugContext* debug) {
  MutexLock lock(state_->mu);
  state_->lengths.erase(path);
  return FileSystemWrapper::DeleteFile(path, options, debug);
}

IOStatus PowerCutDisk::RenameFile(const std::string& from, const std::string& to,
                                  const IOOptions& options, IODebugContext* debug) {
  MutexLock lock(state_->mu);
  IOStatus status = FileSystemWrapper::RenameFile(from, to, options, debug);
  const auto it = state_->lengths.find(from);
  if (status.ok() && it != state_->lengths.end()) {
    state_->lengths[to] = it->second;
    state_->lengths.erase(it);
  }
  return status;
}

}  // namespace acta::oracle
