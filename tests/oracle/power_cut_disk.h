#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>

#include <rocksdb/file_system.h>

#include "absl/time/time.h"
#include "storage/base/mutex.h"

namespace acta::oracle {

// The real file system under a living daemon, until the power goes: CutPower() leaves of each
// appended file its synced bytes and any prefix of the rest, and ends the process as kill -9 would.
// Files written in place, creations, deletions and renames are as the kernel has them.
//
// Threads: any. Writes and syncs of one file are one at a time.
class PowerCutDisk final : public rocksdb::FileSystemWrapper {
 public:
  // Every sync takes `sync_delay` longer, so that more is unsynced when the power goes.
  PowerCutDisk(uint64_t seed, absl::Duration sync_delay);
  const char* Name() const override { return "acta.power_cut_disk"; }

  [[noreturn]] void CutPower();

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  class File;
  struct Length {
    uint64_t written = 0;
    uint64_t synced = 0;
  };
  struct State {
    Mutex mu;  // Held over writes, so that nothing is written behind a cut.
    bool cut ABSL_GUARDED_BY(mu) = false;
    std::map<std::string, Length> lengths ABSL_GUARDED_BY(mu);
  };

  const absl::Duration sync_delay_;
  const std::shared_ptr<State> state_ = std::make_shared<State>();
  std::mt19937_64 chance_;
};

}  // namespace acta::oracle
