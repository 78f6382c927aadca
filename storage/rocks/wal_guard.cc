#include "storage/rocks/wal_guard.h"

#include <utility>

namespace acta {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

constexpr int kMostWaits = 10;
constexpr absl::Duration kWait = absl::Milliseconds(100);

absl::Status Refused() { return absl::DataLossError("a write to the log file was refused before"); }

}  // namespace

class WalGuard::WatchedFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  WatchedFile(std::unique_ptr<FSWritableFile> file, WalGuard& guard)
      : FSWritableFileOwnerWrapper(std::move(file)), guard_(guard) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return Note(FSWritableFileOwnerWrapper::Append(data, options, debug));
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification,
                  IODebugContext* debug) override {
    return Note(FSWritableFileOwnerWrapper::Append(data, options, verification, debug));
  }

 private:
  IOStatus Note(IOStatus status) {
    if (!status.ok()) guard_.Refuse();
    return status;
  }

  WalGuard& guard_;
};

absl::Status WalGuard::Check() const {
  MutexLock lock(mu_);
  return refused_ ? Refused() : absl::OkStatus();
}

absl::Status WalGuard::Sync(absl::FunctionRef<absl::Status()> sync) {
  {
    MutexLock lock(mu_);
    if (refused_) return Refused();
    syncing_ = true;
  }
  const absl::Status status = sync();
  MutexLock lock(mu_);
  syncing_ = false;
  sync_ended_.SignalAll();
  return status;
}

std::unique_ptr<rocksdb::FSWritableFile> WalGuard::Watch(
    std::unique_ptr<rocksdb::FSWritableFile> file) {
  return std::make_unique<WatchedFile>(std::move(file), *this);
}

void WalGuard::Refuse() {
  MutexLock lock(mu_);
  refused_ = true;
  for (int i = 0; syncing_ && i < kMostWaits; ++i) sync_ended_.WaitFor(mu_, kWait);
}

}  // namespace acta
