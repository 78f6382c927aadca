#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "storage/base/mutex.h"
#include "tests/support/hooked_disk.h"

namespace acta::oracle {

// The real file system under a living daemon, until the power goes: CutPower() leaves of each
// appended file its synced bytes and any prefix of the rest, and ends the process as kill -9 would.
// Files written in place, creations, deletions and renames are as the kernel has them.
//
// Threads: any. Writes and syncs of one file are one at a time.
class PowerCutDisk final : public HookedDisk {
 public:
  // Every sync of a file takes `sync_delay` longer, so that more is unsynced when the power goes.
  PowerCutDisk(uint64_t seed, absl::Duration sync_delay);

  [[noreturn]] void CutPower();

 private:
  struct Range {
    uint64_t begin = 0;
    uint64_t end = 0;
  };
  struct Length {
    uint64_t written = 0;
    uint64_t synced = 0;
    std::vector<Range> unsynced;  // Writes of a log file, which is written ahead with zeros.
  };

  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override;
  rocksdb::IOStatus Sync(const DiskCall& call, Forward forward);
  void Cut(const std::string& path, const Length& length) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Note(const DiskCall& call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const absl::Duration sync_delay_;
  Mutex mu_;  // Held over changes, so that nothing is changed behind a cut.
  std::map<std::string, Length, std::less<>> lengths_ ABSL_GUARDED_BY(mu_);
  std::mt19937_64 chance_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta::oracle
