#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "storage/base/bytes.h"
#include "storage/base/crc32c.h"
#include "storage/base/status_macros.h"
#include "tools/bench/latencies.h"
#include "tools/bench/limits/limit.h"

namespace rocksdb::crc32c {

// Takes the place of the function of the same name in librocksdb, as in the broker.
__attribute__((visibility("default"))) uint32_t Extend(uint32_t crc, const char* data, size_t n) {
  return acta::Crc32cExtend(crc, data, n);
}

}  // namespace rocksdb::crc32c

namespace acta::bench {
namespace {

constexpr size_t kPayloadBytes = 64 << 10;
constexpr size_t kHeaderBytes = 96;
constexpr int kBatchesInGroup = 16;
constexpr uint64_t kPartitions = 16;

absl::Status ToStatus(const rocksdb::Status& status) {
  return status.ok() ? absl::OkStatus() : absl::InternalError(status.ToString());
}

// Those of storage/rocks/rocks_options.cc that matter to writing.
rocksdb::Options SliceOptions(bool direct_io) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.max_total_wal_size = uint64_t{256} << 20;
  options.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(size_t{256} << 20);
  options.use_direct_io_for_flush_and_compaction = direct_io;
  options.writable_file_max_buffer_size = 1 << 20;
  options.max_background_jobs = 3;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.write_buffer_size = size_t{32} << 20;
  options.max_write_buffer_number = 4;
  options.compression = rocksdb::kNoCompression;
  options.disable_auto_compactions = true;
  options.level0_file_num_compaction_trigger = 1 << 29;
  options.level0_slowdown_writes_trigger = 1 << 29;
  options.level0_stop_writes_trigger = 1 << 29;
  options.soft_pending_compaction_bytes_limit = 0;
  options.hard_pending_compaction_bytes_limit = 0;
  options.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(8));
  rocksdb::BlockBasedTableOptions table;
  table.block_size = 64 << 10;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.whole_key_filtering = false;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

absl::StatusOr<std::unique_ptr<rocksdb::DB>> Open(const std::string& path) {
  rocksdb::DB* db = nullptr;
  // Folders in memory know no direct IO.
  if (!rocksdb::DB::Open(SliceOptions(true), path, &db).ok()) {
    RETURN_IF_ERROR(ToStatus(rocksdb::DB::Open(SliceOptions(false), path, &db)));
  }
  return std::unique_ptr<rocksdb::DB>(db);
}

// Writes groups until the time is over. `written` rises with every group.
absl::Status WriteGroups(rocksdb::DB& db, double seconds, std::atomic<int64_t>* written) {
  const std::string header(kHeaderBytes, 'h'), payload(kPayloadBytes, 'p');
  const rocksdb::Slice parts[] = {header, payload};
  rocksdb::WriteBatch group;
  uint64_t offset = 0;
  const int64_t end = NowNanos() + static_cast<int64_t>(seconds * 1e9);
  while (NowNanos() < end) {
    group.Clear();
    for (int i = 0; i < kBatchesInGroup; ++i, ++offset) {
      std::string key;
      PutBig64(&key, offset % kPartitions);
      PutBig64(&key, offset);
      const rocksdb::Slice key_part = key;
      RETURN_IF_ERROR(
          ToStatus(group.Put(db.DefaultColumnFamily(), rocksdb::SliceParts(&key_part, 1),
                             rocksdb::SliceParts(parts, 2))));
    }
    RETURN_IF_ERROR(ToStatus(db.Write(rocksdb::WriteOptions(), &group)));
    *written += int64_t{kBatchesInGroup} * kPayloadBytes;
  }
  return absl::OkStatus();
}

// Answers the bytes that were on the disk at its end.
absl::StatusOr<int64_t> SyncUntil(rocksdb::DB& db, const std::atomic<bool>& done,
                                  const std::atomic<int64_t>& written) {
  int64_t synced = 0;
  while (!done) {
    const int64_t covered = written;
    RETURN_IF_ERROR(ToStatus(db.SyncWAL()));
    synced = covered;
  }
  return synced;
}

LimitRows Measure(const char* name, bool sync, const LimitSettings& settings) {
  const std::string path = absl::StrCat(settings.folder, "/limit-rocks-", getpid());
  const absl::Cleanup remove = [&] { (void)rocksdb::DestroyDB(path, rocksdb::Options()); };
  ASSIGN_OR_RETURN(const std::unique_ptr<rocksdb::DB> db, Open(path));
  std::atomic<int64_t> written = 0;
  std::atomic<bool> done = false;
  absl::StatusOr<int64_t> synced = 0;
  std::thread syncer;
  const int64_t begin = NowNanos();
  if (sync) syncer = std::thread([&] { synced = SyncUntil(*db, done, written); });
  const absl::Status status = WriteGroups(*db, settings.seconds, &written);
  done = true;
  if (syncer.joinable()) syncer.join();
  const double seconds = static_cast<double>(NowNanos() - begin) / 1e9;
  RETURN_IF_ERROR(status);
  RETURN_IF_ERROR(synced.status());
  return {{RateRow(name, static_cast<double>(sync ? *synced : written.load()), seconds)}};
}

}  // namespace

LimitRows RocksOs(const LimitSettings& settings) { return Measure("rocksdb_os", false, settings); }
LimitRows RocksFsync(const LimitSettings& settings) {
  return Measure("rocksdb_fsync", true, settings);
}

}  // namespace acta::bench
