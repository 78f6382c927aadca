#pragma once

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "tests/support/hooked_disk.h"

namespace acta {

// A disk that says "synced" and did not: what it is told to sync never reaches the disk below as a
// sync. With it under an engine, a crash test has to find lost writes.
class LyingDisk final : public HookedDisk {
 public:
  enum class Lie {
    kBytes,  // Of log files.
    kNames,  // Of every folder.
  };
  explicit LyingDisk(std::shared_ptr<rocksdb::FileSystem> disk, Lie lie = Lie::kBytes)
      : HookedDisk(std::move(disk)), lie_(lie) {}

 private:
  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override {
    using Kind = DiskOperation::Kind;
    const bool lies = lie_ == Lie::kBytes
                          ? call.kind == Kind::kSync && absl::EndsWith(call.path, ".log")
                          : call.kind == Kind::kSyncFolder;
    return lies ? rocksdb::IOStatus::OK() : forward(call.data);
  }

  const Lie lie_;
};

}  // namespace acta
