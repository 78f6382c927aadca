#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "storage/base/mutex.h"
#include "tests/support/hooked_disk.h"

namespace acta {

// Keeps whoever makes certain calls waiting, while it is told to.
class HeldDisk final : public HookedDisk {
 public:
  using Picks = std::function<bool(const DiskCall&)>;

  // `disk` null: the machine's own is below.
  explicit HeldDisk(Picks picks, std::shared_ptr<rocksdb::FileSystem> disk = nullptr)
      : HookedDisk(std::move(disk)), picks_(std::move(picks)) {}

  void Hold(bool held) {
    MutexLock lock(mu_);
    held_ = held;
    released_.SignalAll();
  }

 private:
  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override {
    if (picks_(call)) {
      MutexLock lock(mu_);
      while (held_) released_.Wait(mu_);
    }
    return forward(call.data);
  }

  const Picks picks_;
  Mutex mu_;
  CondVar released_;
  bool held_ ABSL_GUARDED_BY(mu_) = false;
};

// A new table file. Without it what a memtable has stays in its write-ahead log file.
inline bool MakesTable(const DiskCall& call) {
  return call.kind == DiskOperation::Kind::kCreate && absl::EndsWith(call.path, ".sst");
}

}  // namespace acta
