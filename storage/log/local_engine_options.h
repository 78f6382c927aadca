#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/base/ids.h"
#include "storage/log/disk_guard.h"

namespace rocksdb {
class FileSystem;
}

namespace acta {

// How the embedded engine is set.
struct LocalEngineOptions {
  std::string data;     // The data folder; created when missing.
  std::string wal_dir;  // Empty: inside the data folder.
  // Starts although the medium lost acknowledged data, which raises the incarnation, and without
  // the ids and sequences that the disk does not give.
  bool accept_loss = false;
  int64_t tail_cache_bytes = int64_t{128} << 20;
  int64_t memtable_bytes = int64_t{256} << 20;
  int64_t write_buffer_bytes = int64_t{32} << 20;
  int64_t in_flight_bytes = int64_t{64} << 20;
  absl::Duration lazy_sync = absl::Seconds(1);  // Of what nobody asks to be synced.
  int64_t dedupe_bytes = int64_t{256} << 20;
  int64_t dedupe_max_ids = 1'000'000;  // A topic.
  absl::Duration ledger_retention;     // Of the broker's own log; zero: there is none.
  absl::Duration slice_age;            // Zero: an eighth of the slice's class.
  int64_t slice_bytes = int64_t{4} << 30;
  int32_t max_slices = 96;
  absl::Duration maintenance_interval = absl::Seconds(1);  // Retention, disk, clock.
  absl::Duration slice_interval = absl::Seconds(60);       // Slices are created and dropped.
  absl::Duration witness_interval = absl::Milliseconds(100);
  int64_t snapshot_bytes = int64_t{128} << 20;
  int64_t snapshot_group_bytes = int64_t{256} << 10;
  DiskWatermarks watermarks;
  int64_t ballast_bytes = int64_t{256} << 20;
  // Called as soon as no other process can have the folder open, before it is looked at.
  std::function<void()> when_locked;
  // Asked before events of a partition below an offset go for good; may wait for the disk. Not OK:
  // they stay for now.
  std::function<absl::Status(PartitionId, Offset)> before_trim;
  // Told once after each of those, when they are gone or stay, and the extent says so: of all that
  // go at once together.
  std::function<void(const std::vector<PartitionId>&)> after_trim;
  int64_t deletion_bytes_per_second = int64_t{64} << 20;
  // For tests: another disk; its free bytes and all of them; another boot of the kernel. Empty: the
  // real ones.
  std::shared_ptr<rocksdb::FileSystem> file_system;
  std::function<std::pair<int64_t, int64_t>()> disk_space;
  std::string boot_id;
};

}  // namespace acta
