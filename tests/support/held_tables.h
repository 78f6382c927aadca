#pragma once

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "storage/base/mutex.h"
#include "tests/support/hooked_disk.h"

namespace acta {

// Holds back table files while it is told to: what a memtable has stays in its write-ahead log
// file.
class HeldTables final : public HookedDisk {
 public:
  // Null: the machine's own disk is below.
  explicit HeldTables(std::shared_ptr<rocksdb::FileSystem> disk = nullptr)
      : HookedDisk(std::move(disk)) {}

  void Hold(bool held) {
    MutexLock lock(mu_);
    held_ = held;
    released_.SignalAll();
  }

 private:
  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override {
    if (call.kind == DiskOperation::Kind::kCreate && absl::EndsWith(call.path, ".sst")) {
      MutexLock lock(mu_);
      while (held_) released_.Wait(mu_);
    }
    return forward(call.data);
  }

  Mutex mu_;
  CondVar released_;
  bool held_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace acta
