#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "storage/base/ids.h"
#include "storage/base/mutex.h"
#include "storage/rocks/block_file.h"

namespace acta {

// What the store knew of itself when it last looked: the only way to notice, at the next start,
// that the medium lost something.
struct WitnessRecord {
  std::string store_id;
  Incarnation incarnation;
  std::string boot_id;       // Of the kernel; equal means the page cache was not lost.
  GroupNumber synced_group;  // Every group up to it was synced.
  int64_t server_time_us = 0;
  bool clean = false;  // Nothing was written after it.
  std::set<uint64_t> live_wals;
};

// The witness file: two slots, overwritten in turn, synced before Update() returns.
//
// Threads: any.
class Witness {
 public:
  static constexpr size_t kSlotBytes = 16 << 10;

  static absl::StatusOr<std::unique_ptr<Witness>> Open(
      std::shared_ptr<rocksdb::FileSystem> file_system, const std::string& path);

  // The newest readable record; nullopt when there was never one. Errors: DATA_LOST when both
  // slots were written and none is readable.
  absl::StatusOr<std::optional<WitnessRecord>> Load();

  // Changes the record under the lock and writes it. The record before the first Load() or
  // Update() is empty.
  template <typename Change>
  absl::Status Update(Change change) {
    MutexLock lock(mu_);
    change(record_);
    return WriteLocked();
  }
  WitnessRecord record() const {
    MutexLock lock(mu_);
    return record_;
  }

 private:
  explicit Witness(std::unique_ptr<BlockFile> file) : file_(std::move(file)) {}
  absl::Status WriteLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;  // Held over the write: one slot at a time.
  std::unique_ptr<BlockFile> file_ ABSL_GUARDED_BY(mu_);
  WitnessRecord record_ ABSL_GUARDED_BY(mu_);
  uint64_t version_ ABSL_GUARDED_BY(mu_) = 0;
};

// For tests and fuzzing: the bytes of a slot. Decoding takes any bytes.
std::string EncodeWitness(const WitnessRecord& record, uint64_t version);
bool DecodeWitness(absl::string_view slot, WitnessRecord* record, uint64_t* version);

}  // namespace acta
