#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/base/ids.h"
#include "storage/rocks/row_cursor.h"
#include "storage/rocks/stall_counts.h"
#include "storage/rocks/table_extents.h"
#include "storage/rocks/write_group.h"

namespace rocksdb {
struct ColumnFamilyOptions;
class DB;
class Env;
class FileSystem;
class SstFileManager;
class Status;
}  // namespace rocksdb

namespace acta {

struct CutFile;
struct CutFolders;
struct RocksSettings;
class StoreFileSystem;
class StoreListener;
class TableReaders;
class WalGroups;

// What a start found.
struct RecoveredStore {
  std::optional<GroupNumber> first_replayed;  // Not set: the WAL was empty.
  std::optional<GroupNumber> last_replayed;
  GroupNumber max_in_tables;  // Highest group in any table file.
  std::string hole;           // Not empty: groups are missing inside the WAL; replay ended there.
  GroupNumber last() const {
    return last_replayed.has_value() ? std::max(*last_replayed, max_in_tables) : max_in_tables;
  }
};

// The database: families, one writer, syncs. The only room that names RocksDB.
//
// Threads:   Write() by one thread at a time; SyncWal() by another; families by a third; reads by
//            any.
// Errors:    every failed write, sync, flush or change of the families is final: `on_fatal` is told
//            once, from any thread, and the object must then be leaked, never destroyed.
class RocksStore {
 public:
  using OnFatal = std::function<void(const std::string& what)>;

  // Opens or creates. `families` are created when missing (rows: meta, state).
  static absl::StatusOr<std::unique_ptr<RocksStore>> Open(const RocksSettings& settings,
                                                          std::shared_ptr<StoreFileSystem> files,
                                                          OnFatal on_fatal);
  // Opens what is there, WAL included, and changes nothing in its folder: for looking into a store
  // that nobody has open. Only reads work on it.
  static absl::StatusOr<std::unique_ptr<RocksStore>> OpenReadOnly(const RocksSettings& settings);
  // Clean close: everything is synced and the files are closed.
  ~RocksStore();

  const RecoveredStore& recovered() const { return recovered_; }
  // A sentence that names a whole commit group of this incarnation behind the place where recovery
  // ended; empty: there is none. Call it before anything is written.
  absl::StatusOr<std::string> FindUnreached(Incarnation incarnation) const;
  FamilyPtr meta() const { return meta_; }
  FamilyPtr state() const { return state_; }
  // Families of log slices by name, as found at the start, and of their indexes.
  const std::map<std::string, FamilyPtr>& slices() const { return slices_; }
  const std::map<std::string, FamilyPtr>& indexes() const { return indexes_; }

  // In the WAL file when it returns; not synced.
  absl::Status Write(WriteGroup& group);
  // Everything written before the call is on disk when it returns.
  absl::Status SyncWal();

  // Stops writers for milliseconds: create several at once.
  absl::StatusOr<std::vector<FamilyPtr>> CreateSlices(const std::vector<std::string>& names);
  absl::StatusOr<std::vector<FamilyPtr>> CreateIndexes(const std::vector<std::string>& names);
  // RocksDB writes and reads back the options of all families once for each call, not for each of
  // them: drop several at once. In this order, also where a crash comes in between.
  absl::Status DropFamilies(const std::vector<FamilyPtr>& families);
  // Adds rows, in the order of their keys and at least one, to the index of a slice, as one file;
  // to a row that is there already its value is joined at the end. Durable when it returns; writers
  // wait for its entry in the MANIFEST. What the rows tell of has to be synced before. One at a
  // time. Does nothing when the index was dropped. Errors: RESOURCE_EXHAUSTED, nothing was added.
  // `next` makes the rows, key and value: false when there are no more.
  absl::Status AddFile(const FamilyPtr& index,
                       absl::FunctionRef<bool(std::string*, std::string*)> next);
  // Of the index of a slice: into so many files a question looks for each row.
  int64_t Runs(const FamilyPtr& index) const;
  // Joins them to one, unless StopJoins() is called. Blocks; reads and writes go on.
  void JoinRuns(const FamilyPtr& index);
  // Gives up what is being joined, and whatever it waits for; nothing is joined from then on.
  void StopJoins();
  // In an earlier life the files of an index could not be joined, as one cannot be read: no more
  // are joined until all of them were dropped.
  bool index_damaged() const { return index_damaged_; }
  // All indexes were.
  absl::Status IndexesDropped();
  absl::Status Flush(const FamilyPtr& family);

  // What CutStore() says (store_cut.h).
  absl::StatusOr<std::vector<CutFile>> Cut(const CutFolders& folders);

  // `readahead_bytes` 0: for single rows and point reads.
  std::unique_ptr<RowCursor> NewCursor(const FamilyPtr& family, size_t readahead_bytes) const;
  // Walks one partition of a slice, beginning with a Seek() to one of its keys; not valid past the
  // partition's last batch.
  std::unique_ptr<RowCursor> NewPartitionCursor(const FamilyPtr& slice) const;
  // The same, but only over memory and the table files that hold `at` of the partition: damage in
  // the others does not reach it. Its walk ends with the table.
  std::unique_ptr<RowCursor> NewTableCursor(const FamilyPtr& slice, PartitionId partition,
                                            Offset at) const;
  // The same over the one table file that holds `at`, which costs the same however many tables the
  // slice has. Null: none is known to hold it, or it cannot be read.
  std::unique_ptr<RowCursor> NewReaderCursor(const FamilyPtr& slice, PartitionId partition,
                                             Offset at) const;
  // Tables that are open for them.
  size_t OpenReaders() const;
  // Where to look behind `from`, in (from, last], when its block cannot be read: the first offset
  // that is in another block or table file. last + 1: there is none. Reads no data.
  Offset NextBlock(const FamilyPtr& slice, PartitionId partition, Offset from, Offset last) const;
  // nullopt: there is no such row.
  absl::StatusOr<std::optional<std::string>> Get(const FamilyPtr& family,
                                                 absl::string_view key) const;
  // Visits those of these rows that are there, by their index; `keys` are in order. Stops at the
  // first error of `visit`.
  absl::Status GetRows(const FamilyPtr& family, absl::Span<const std::string> keys,
                       absl::FunctionRef<absl::Status(size_t, absl::string_view)> visit) const;
  // What the table files of a family say of themselves. Data in memory is not in it.
  absl::StatusOr<TableExtents> ReadFamilyExtents(const FamilyPtr& family) const;

  // To be called every second: old files go at the rate that is set, or as fast as it takes for all
  // that wait to be gone within half a minute.
  void PaceDeletion();
  // The rate just now.
  int64_t DeletionBytesPerSecond() const;

  int64_t FamilyBytes(const FamilyPtr& family) const;
  // Of the log files with this number or a higher one.
  int64_t WalBytes(uint64_t from = 0) const;
  StallCounts stalls() const;
  // After a fatal error: the database object is left alone for the rest of the process. Its threads
  // go on, so `on_fatal` may still be told.
  void Leak();
  // Who tells `on_fatal`, also when somebody else asks for it. Null: the store is only read.
  const std::shared_ptr<StoreListener>& listener() const { return listener_; }
  // From when it returns `on_fatal` is not told any more. Not to be called by what it calls.
  void StopTelling();

 private:
  RocksStore();
  const std::string& wal_folder() const;
  // Takes over an opened database: its families by name, and what its start found.
  absl::Status Adopt(rocksdb::DB* db, const std::vector<rocksdb::ColumnFamilyHandle*>& handles,
                     const std::vector<std::string>& names,
                     const std::shared_ptr<WalGroups>& groups);

  absl::StatusOr<std::vector<FamilyPtr>> CreateFamilies(
      const std::vector<std::string>& names, const rocksdb::ColumnFamilyOptions& options);
  // Of a change of the families; tells of one that failed.
  absl::Status SlicesChanged(const rocksdb::Status& status) const;

  std::shared_ptr<StoreFileSystem> files_;
  std::shared_ptr<rocksdb::Env> env_;
  std::unique_ptr<RocksSettings> settings_;
  std::shared_ptr<StoreListener> listener_;             // Null: it is only read.
  std::shared_ptr<rocksdb::SstFileManager> deletions_;  // Null: nothing is ever deleted.
  std::unique_ptr<TableReaders> readers_;
  std::shared_ptr<rocksdb::DB> db_;
  RecoveredStore recovered_;
  std::atomic<bool> index_damaged_ = false;
  FamilyPtr meta_;
  FamilyPtr state_;
  std::map<std::string, FamilyPtr> slices_;
  std::map<std::string, FamilyPtr> indexes_;
};

// The names of linked storage libraries with their versions.
std::vector<std::pair<std::string, std::string>> StorageLibraries();

}  // namespace acta
