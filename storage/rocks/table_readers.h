#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "storage/base/ids.h"
#include "storage/base/mutex.h"
#include "storage/rocks/row_cursor.h"
#include "storage/rocks/write_group.h"

namespace rocksdb {
class DB;
class Env;
class SstFileReader;
struct Options;
}  // namespace rocksdb

namespace acta {

struct RocksSettings;

// TableReaders reads a slice out of the one table file that has what is asked for: whatever the
// database offers looks into all of the slice's tables, hundreds, for each batch.
//
// It keeps at most `open_tables` files open, whose indexes, some 40 KiB each where few partitions
// are in a file, take `open_table_bytes` at most, but the one that was read last; and the ranges of
// at most 1,024 partitions of slices.
//
// Threads: any; blocks on the disk.
class TableReaders {
 public:
  // The file system must outlive it.
  TableReaders(rocksdb::Env* env, const RocksSettings& settings);
  ~TableReaders();

  // A cursor over the table that holds `at` of the partition; its walk ends with the table. Null:
  // there is none that is known, or it cannot be opened. `flushes` grows with every new table.
  std::unique_ptr<RowCursor> NewCursor(rocksdb::DB& db, const FamilyPtr& slice,
                                       PartitionId partition, Offset at, uint64_t flushes);
  // The slice is dropped: nothing of it stays open but what a cursor still holds.
  void Forget(const std::string& slice);

  static constexpr size_t kMostRanges = 1024;
  // Files that are open now.
  size_t open() const;

 private:
  using ReaderPtr = std::shared_ptr<rocksdb::SstFileReader>;
  struct Range {
    Offset first;
    Offset last;  // Inclusive.
    std::string path;
  };
  // Of one partition; a slice never loses a table.
  struct Ranges {
    uint64_t flushes = 0;  // When they were asked for.
    std::vector<Range> in_order;
  };
  struct Open {
    std::string slice;
    ReaderPtr reader;
    size_t bytes = 0;  // Of memory.
    uint64_t used = 0;
  };
  using Key = std::pair<std::string, PartitionId>;  // The slice's name.

  std::optional<std::string> FindPath(rocksdb::DB& db, const FamilyPtr& slice,
                                      PartitionId partition, Offset at, uint64_t flushes);
  ReaderPtr Reader(const std::string& slice, const std::string& path);
  // Null: it is not open.
  ReaderPtr OpenReader(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What is taken out, which takes a while to close, when so many bytes come.
  std::vector<ReaderPtr> MakeRoom(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t most_open_;
  const size_t most_bytes_;
  const std::unique_ptr<const rocksdb::Options> options_;
  mutable Mutex mu_;  // Leaf.
  absl::btree_map<Key, Ranges> ranges_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, Open> open_ ABSL_GUARDED_BY(mu_);  // By path.
  size_t open_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_set<std::string> forgotten_ ABSL_GUARDED_BY(mu_);  // Names do not come again.
  uint64_t uses_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace acta
