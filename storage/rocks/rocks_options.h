#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <rocksdb/options.h>

namespace acta {

// How the database is set; measured choices, each with its reason in rocks_options.cc.
struct RocksSettings {
  std::string path;
  std::string wal_dir;                           // Empty: `path`.
  size_t memtable_bytes = size_t{256} << 20;     // All memtables together.
  size_t write_buffer_bytes = size_t{32} << 20;  // One memtable of a log slice.
  size_t row_buffer_bytes = size_t{8} << 20;     // One memtable of meta or state.
  uint64_t max_wal_bytes = uint64_t{256} << 20;
  // Then the next MANIFEST begins, with what is there by then.
  uint64_t max_manifest_bytes = uint64_t{64} << 20;
  // That TableReaders keeps open, and what they take: a log of 36 GiB is read without opening one
  // again, if few partitions are in each.
  size_t open_tables = 1024;
  size_t open_table_bytes = size_t{64} << 20;
  int64_t deletion_bytes_per_second = int64_t{64} << 20;
  bool direct_io = true;
  std::shared_ptr<rocksdb::FileSystem> file_system;
};

// `env` must outlive the database.
rocksdb::DBOptions MakeDbOptions(const RocksSettings& settings, rocksdb::Env* env);
// meta and state: rows that are overwritten and looked up by key.
rocksdb::ColumnFamilyOptions MakeRowOptions(const RocksSettings& settings);
// A log slice: batches in order of partition and offset, written once, never compacted.
rocksdb::ColumnFamilyOptions MakeSliceOptions(const RocksSettings& settings);
// The index of a slice: blocks that come sorted and in whole files, many at a time.
rocksdb::ColumnFamilyOptions MakeIndexOptions(const RocksSettings& settings);

// False where files of `folder` cannot be opened past the page cache (tmpfs).
bool SupportsDirectIo(const std::string& folder);

}  // namespace acta
