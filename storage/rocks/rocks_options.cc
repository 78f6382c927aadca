#include "storage/rocks/rocks_options.h"

#include <fcntl.h>
#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/sst_file_manager.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>
#include <unistd.h>

#include "storage/layout/batch_header.h"
#include "storage/rocks/join_rows.h"
#include "storage/rocks/partition_blocks.h"
#include "storage/rocks/table_extents.h"

namespace acta {

rocksdb::DBOptions MakeDbOptions(const RocksSettings& settings, rocksdb::Env* env) {
  rocksdb::DBOptions options;
  options.env = env;
  options.create_if_missing = true;
  options.wal_dir = settings.wal_dir;
  // Recovers the exact prefix a power cut may leave, or refuses when a table file is ahead of it.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.paranoid_checks = true;
  // A start finds none of its pages in the cache: wal_pages.h.
  options.log_readahead_size = 2 << 20;
  // A failed flush ends the process: what the kernel dropped once cannot be written again.
  options.max_bgerror_resume_count = 0;
  // One idle family pins the WAL: beyond this its memtable is flushed.
  options.max_total_wal_size = settings.max_wal_bytes;
  // A start reads all of it, also what it says of slices that went long ago.
  options.max_manifest_file_size = settings.max_manifest_bytes;
  options.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(settings.memtable_bytes);
  // Writing fresh page-cache pages costs a third of all CPU; flushed data is read through the
  // tail cache or sequentially.
  options.use_direct_io_for_flush_and_compaction = settings.direct_io;
  options.writable_file_max_buffer_size = 1 << 20;
  // Only indexes and rows are ever compacted, in blocks of 4 KiB.
  options.compaction_readahead_size = 2 << 20;
  options.max_open_files = 2000;
  options.skip_stats_update_on_db_open = true;
  options.skip_checking_sst_file_sizes_on_db_open = true;
  options.max_background_jobs = 3;
  options.max_subcompactions = 1;
  options.keep_log_file_num = 4;
  options.max_log_file_size = 4 << 20;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  // More of it waiting than this times what is kept is deleted at once, which stops the disk for
  // others: PaceDeletion() sees to it that it never comes so far.
  constexpr double kMostTrash = 4;
  options.sst_file_manager.reset(rocksdb::NewSstFileManager(env, settings.file_system, nullptr, "",
                                                            settings.deletion_bytes_per_second,
                                                            true, nullptr, kMostTrash));
  return options;
}

rocksdb::ColumnFamilyOptions MakeRowOptions(const RocksSettings& settings) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = settings.row_buffer_bytes;
  options.max_write_buffer_number = 3;
  options.compression = rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.table_properties_collector_factories = {MakeExtentsCollector()};
  return options;
}

rocksdb::ColumnFamilyOptions MakeSliceOptions(const RocksSettings& settings) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = settings.write_buffer_bytes;
  options.max_write_buffer_number = 4;
  options.compression = rocksdb::kNoCompression;
  // Compaction of log data writes it once more for nothing: a slice is dropped as a whole.
  options.disable_auto_compactions = true;
  options.level0_file_num_compaction_trigger = 1 << 29;
  options.level0_slowdown_writes_trigger = 1 << 29;
  options.level0_stop_writes_trigger = 1 << 29;
  options.soft_pending_compaction_bytes_limit = 0;
  options.hard_pending_compaction_bytes_limit = 0;
  options.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(kLogKeyPartitionBytes));
  rocksdb::BlockBasedTableOptions table;
  table.block_size = 64 << 10;
  table.flush_block_policy_factory = MakePartitionBlocks();
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.whole_key_filtering = false;
  // No table is compacted: a walk of one partition looks into all of them, and reads a block only
  // of those whose turn it is.
  table.index_type = rocksdb::BlockBasedTableOptions::kBinarySearchWithFirstKey;
  // A shortened key would stand for all offsets of a partition that a table does not have.
  table.index_shortening = rocksdb::BlockBasedTableOptions::IndexShorteningMode::kNoShortening;
  table.initial_auto_readahead_size = 256 << 10;
  table.max_auto_readahead_size = 2 << 20;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.table_properties_collector_factories = {MakeExtentsCollector()};
  return options;
}

rocksdb::ColumnFamilyOptions MakeIndexOptions(const RocksSettings&) {
  // One for all of them: a question looks into each.
  static const std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(32 << 20);
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = 64 << 10;  // Nothing is ever written but by ingestion.
  options.compression = rocksdb::kNoCompression;
  // A question reads one block of each file: few files matter, but each row is merged three or four
  // times. With four files it takes a fifth of what FULL publishes.
  options.compaction_style = rocksdb::kCompactionStyleUniversal;
  options.merge_operator = MakeJoinRows();
  options.level0_file_num_compaction_trigger = 6;
  options.level0_slowdown_writes_trigger = 1 << 29;
  options.level0_stop_writes_trigger = 1 << 29;
  options.soft_pending_compaction_bytes_limit = 0;
  options.hard_pending_compaction_bytes_limit = 0;
  rocksdb::BlockBasedTableOptions table;
  table.block_size = 4 << 10;
  table.block_cache = cache;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.table_properties_collector_factories = {MakeExtentsCollector()};
  return options;
}

bool SupportsDirectIo(const std::string& folder) {
  const std::string path = folder + "/direct-io-probe";
  const int fd = open(path.c_str(), O_CREAT | O_WRONLY | O_DIRECT | O_CLOEXEC, 0600);
  if (fd >= 0) close(fd);
  unlink(path.c_str());
  return fd >= 0;
}

}  // namespace acta
