#include "storage/rocks/rocks_store.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/listener.h>
#include <rocksdb/sst_file_manager.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/version.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/base/log.h"
#include "storage/base/mutex.h"
#include "storage/base/status_macros.h"
#include "storage/layout/batch_header.h"
#include "storage/layout/engine_rows.h"
#include "storage/rocks/crc32c_override.h"
#include "storage/rocks/durable_names.h"
#include "storage/rocks/index_rescue.h"
#include "storage/rocks/read_only_files.h"
#include "storage/rocks/rocks_options.h"
#include "storage/rocks/rocks_status.h"
#include "storage/rocks/store_cut.h"
#include "storage/rocks/store_file_system.h"
#include "storage/rocks/store_listener.h"
#include "storage/rocks/table_readers.h"
#include "storage/rocks/wal_groups.h"
#include "storage/rocks/wal_scan.h"

namespace acta {
namespace {

rocksdb::Slice ToSlice(absl::string_view view) { return {view.data(), view.size()}; }

// Destroys the handle with the database still alive, whoever drops it last.
FamilyPtr Own(const std::shared_ptr<rocksdb::DB>& db, rocksdb::ColumnFamilyHandle* handle) {
  return FamilyPtr(handle, [db](rocksdb::ColumnFamilyHandle* family) {
    db->DestroyColumnFamilyHandle(family).PermitUncheckedError();
  });
}

void MarkIndex(rocksdb::FileSystem& files, const std::string& folder) {
  LogError("the index of journeys is damaged: the next start makes it anew from the log");
  // Without the mark the next start only finds the damage again.
  (void)WriteDurableFile(files, folder, kIndexDamaged, "");
}

// Openings that each leave out files of an index.
constexpr int kMostRescues = 1'000;
constexpr char kRunFile[] = "/run.tmp";  // Of an index, until the database has it.

// `join`: the files of indexes are joined as they come.
std::vector<rocksdb::ColumnFamilyDescriptor> Describe(const std::vector<std::string>& names,
                                                      const RocksSettings& settings, bool join) {
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const std::string& name : names) {
    const bool index = IsIndexFamily(name);
    auto options = absl::StartsWith(name, "log.") ? MakeSliceOptions(settings)
                   : index                        ? MakeIndexOptions(settings)
                                                  : MakeRowOptions(settings);
    if (index && !join) options.disable_auto_compactions = true;
    descriptors.emplace_back(name, options);
  }
  return descriptors;
}

}  // namespace

RocksStore::RocksStore() = default;

absl::StatusOr<std::unique_ptr<RocksStore>> RocksStore::Open(const RocksSettings& settings,
                                                             std::shared_ptr<StoreFileSystem> files,
                                                             OnFatal on_fatal) {
  RETURN_IF_ERROR(CheckRocksCrc32c());
  std::unique_ptr<RocksStore> store(new RocksStore);
  store->files_ = files;
  store->env_ = rocksdb::NewCompositeEnv(files);
  store->settings_ = std::make_unique<RocksSettings>(settings);
  store->settings_->file_system = files;
  rocksdb::DBOptions options = MakeDbOptions(*store->settings_, store->env_.get());
  options.create_missing_column_families = true;
  store->deletions_ = options.sst_file_manager;
  // The database writes its options down again whenever they change, and asks the filter for its
  // name then: it lives as long as the database.
  const auto groups = std::make_shared<WalGroups>();
  options.wal_filter = groups.get();
  const auto on_index = [files, path = settings.path] { MarkIndex(*files, path); };
  store->listener_ = std::make_shared<StoreListener>(std::move(on_fatal), on_index);
  options.listeners = {store->listener_};
  store->index_damaged_ = files->FileExists(IndexMarkPath(settings.path), {}, nullptr).ok();
  // What a kill left of AddFile(). One that cannot be deleted is met there.
  files->DeleteFile(settings.path + kRunFile, {}, nullptr).PermitUncheckedError();
  std::vector<std::string> names;
  const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(options, settings.path, &names);
  if (!listed.ok()) {
    const auto current = files->FileExists(settings.path + "/CURRENT", {}, nullptr);
    if (!current.IsNotFound()) return FromRocks(listed);
    names = {rocksdb::kDefaultColumnFamilyName};
  }
  for (const char* name : {kMetaFamily, kStateFamily}) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  auto families = Describe(names, *store->settings_, !store->index_damaged_);
  auto opened = rocksdb::DB::Open(options, settings.path, families, &handles, &db);
  IndexRescue rescue(options, settings.path, families);
  for (int tries = 0; !opened.ok() && tries < kMostRescues; ++tries) {
    ASSIGN_OR_RETURN(const std::set<uint64_t> broken, rescue.Find(opened));
    LogError("the index of journeys has files that cannot be read: it is made anew from the log",
             {{"cause", opened.ToString()}});
    // Before they are out of it: what is left is not whole.
    RETURN_IF_ERROR(WriteDurableFile(*files, settings.path, kIndexDamaged, ""));
    store->index_damaged_ = true;
    RETURN_IF_ERROR(rescue.Forget(broken));
    families = Describe(names, *store->settings_, false);
    opened = rocksdb::DB::Open(options, settings.path, families, &handles, &db);
  }
  RETURN_IF_ERROR(FromRocks(opened));
  RETURN_IF_ERROR(store->Adopt(db, handles, names, groups));
  return store;
}

absl::StatusOr<std::unique_ptr<RocksStore>> RocksStore::OpenReadOnly(
    const RocksSettings& settings) {
  RETURN_IF_ERROR(CheckRocksCrc32c());
  std::unique_ptr<RocksStore> store(new RocksStore);
  store->files_ = std::make_shared<StoreFileSystem>(std::make_shared<ReadOnlyFiles>());
  store->env_ = rocksdb::NewCompositeEnv(store->files_);
  store->settings_ = std::make_unique<RocksSettings>(settings);
  store->settings_->file_system = store->files_;
  rocksdb::DBOptions options = MakeDbOptions(*store->settings_, store->env_.get());
  options.sst_file_manager = nullptr;  // It deletes files.
  options.info_log = std::make_shared<NoLog>();
  const auto groups = std::make_shared<WalGroups>();
  options.wal_filter = groups.get();
  std::vector<std::string> names;
  RETURN_IF_ERROR(FromRocks(rocksdb::DB::ListColumnFamilies(options, settings.path, &names)));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  auto families = Describe(names, *store->settings_, false);
  auto opened = rocksdb::DB::OpenForReadOnly(options, settings.path, families, &handles, &db);
  if (!opened.ok()) {
    // Perhaps only for an index, which says nothing that the log does not.
    families = WithoutIndexes(families);
    std::erase_if(names, IsIndexFamily);
    opened = rocksdb::DB::OpenForReadOnly(options, settings.path, families, &handles, &db);
  }
  RETURN_IF_ERROR(FromRocks(opened));
  RETURN_IF_ERROR(store->Adopt(db, handles, names, groups));
  if (store->meta_ == nullptr || store->state_ == nullptr) {
    return absl::DataLossError("the database has no meta or state family");
  }
  return store;
}

void RocksStore::PaceDeletion() {
  if (deletions_ == nullptr) return;
  constexpr int64_t kSeconds = 30;
  const int64_t waiting = static_cast<int64_t>(deletions_->GetTotalTrashSize());
  deletions_->SetDeleteRateBytesPerSecond(
      std::max(settings_->deletion_bytes_per_second, waiting / kSeconds));
}

int64_t RocksStore::DeletionBytesPerSecond() const {
  return deletions_ == nullptr ? 0 : deletions_->GetDeleteRateBytesPerSecond();
}

absl::Status RocksStore::Adopt(rocksdb::DB* db,
                               const std::vector<rocksdb::ColumnFamilyHandle*>& handles,
                               const std::vector<std::string>& names,
                               const std::shared_ptr<WalGroups>& groups) {
  db_ = std::shared_ptr<rocksdb::DB>(
      db, [env = env_, groups](rocksdb::DB* database) { delete database; });
  readers_ = std::make_unique<TableReaders>(env_.get(), *settings_);
  std::vector<FamilyPtr> families;
  for (rocksdb::ColumnFamilyHandle* handle : handles) families.push_back(Own(db_, handle));
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == kMetaFamily) meta_ = families[i];
    if (names[i] == kStateFamily) state_ = families[i];
    if (absl::StartsWith(names[i], "log.")) slices_.emplace(names[i], families[i]);
    if (IsIndexFamily(names[i])) {
      indexes_.emplace(names[i], families[i]);
      continue;  // No group of the log is in it, and what it has it may lose.
    }
    ASSIGN_OR_RETURN(const TableExtents extents, ReadFamilyExtents(families[i]));
    recovered_.max_in_tables = std::max(recovered_.max_in_tables, extents.max_group);
  }
  recovered_.first_replayed = groups->first();
  recovered_.last_replayed = groups->last();
  recovered_.hole = groups->hole();
  return absl::OkStatus();
}

RocksStore::~RocksStore() {
  if (db_ == nullptr) return;
  meta_.reset();
  state_.reset();
  slices_.clear();
  indexes_.clear();
  // Handles still held by readers keep the database alive through their deleters.
}

void RocksStore::StopTelling() {
  if (listener_ != nullptr) listener_->StopTelling();
}

void RocksStore::Leak() {
  // Never destroyed: after a failed write its destructor would flush what the kernel may have
  // dropped.
  static Mutex& mu = *new Mutex;
  static auto& kept = *new std::vector<std::shared_ptr<rocksdb::DB>>;
  MutexLock lock(mu);
  kept.push_back(db_);
}

absl::Status RocksStore::Write(WriteGroup& group) {
  return FromRocks(db_->Write(rocksdb::WriteOptions(), &group.batch()));  // Not synced.
}

absl::Status RocksStore::SyncWal() {
  return files_->wal_guard().Sync([this]() -> absl::Status {
    RETURN_IF_ERROR(FromRocks(db_->SyncWAL()));
    return files_->ListNew();
  });
}

// What RocksDB does not call a background error: whether the change is in the MANIFEST nobody
// knows.
absl::Status RocksStore::SlicesChanged(const rocksdb::Status& status) const {
  if (status.IsIOError() || status.IsCorruption()) {
    listener_->Tell(absl::StrCat("a change of the slices failed: ", status.ToString()));
  }
  return FromRocks(status);
}

absl::StatusOr<std::vector<FamilyPtr>> RocksStore::CreateSlices(
    const std::vector<std::string>& names) {
  return CreateFamilies(names, MakeSliceOptions(*settings_));
}

absl::StatusOr<std::vector<FamilyPtr>> RocksStore::CreateIndexes(
    const std::vector<std::string>& names) {
  return CreateFamilies(names, MakeIndexOptions(*settings_));
}

absl::StatusOr<std::vector<FamilyPtr>> RocksStore::CreateFamilies(
    const std::vector<std::string>& names, const rocksdb::ColumnFamilyOptions& options) {
  RETURN_IF_ERROR(files_->wal_guard().Check());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  RETURN_IF_ERROR(SlicesChanged(db_->CreateColumnFamilies(options, names, &handles)));
  std::vector<FamilyPtr> families;
  families.reserve(handles.size());
  for (rocksdb::ColumnFamilyHandle* handle : handles) families.push_back(Own(db_, handle));
  return families;
}

absl::Status RocksStore::DropFamilies(const std::vector<FamilyPtr>& families) {
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  for (const FamilyPtr& family : families) handles.push_back(family.get());
  RETURN_IF_ERROR(SlicesChanged(db_->DropColumnFamilies(handles)));
  for (const FamilyPtr& family : families) {
    readers_->Forget(family->GetName());
    slices_.erase(family->GetName());
    indexes_.erase(family->GetName());
  }
  return absl::OkStatus();
}

absl::Status RocksStore::AddFile(const FamilyPtr& index,
                                 absl::FunctionRef<bool(std::string*, std::string*)> next) {
  const std::string path = settings_->path + kRunFile;
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), db_->GetOptions(index.get()), index.get());
  // A kill may have left it as another name of a file that is in use: it is not to be written over.
  const auto left = files_->DeleteFile(path, {}, nullptr);
  if (!left.ok() && !left.IsNotFound() && !left.IsPathNotFound()) return SlicesChanged(left);
  rocksdb::Status status = writer.Open(path);
  std::string key, value;
  while (status.ok() && next(&key, &value)) status = writer.Merge(key, value);
  if (status.ok()) status = writer.Finish();
  if (absl::IsResourceExhausted(FromRocks(status))) {
    files_->DeleteFile(path, {}, nullptr).PermitUncheckedError();
    return FromRocks(status);
  }
  if (!status.ok()) return SlicesChanged(status);
  rocksdb::IngestExternalFileOptions how;
  how.move_files = true;
  how.snapshot_consistency = false;
  how.write_global_seqno = false;
  status = db_->IngestExternalFile(index.get(), {path}, how);
  // Its slice went meanwhile, with all that the rows tell of; what is left goes with the next file.
  const bool dropped =
      status.IsColumnFamilyDropped() ||
      (status.IsInvalidArgument() && absl::StrContains(status.ToString(), "dropped"));
  if (dropped) return absl::OkStatus();
  // It was looked where its rows lie among those that are there.
  if (StoreListener::IsUnreadable(status)) MarkIndex(*files_, settings_->path);
  return SlicesChanged(status);
}

int64_t RocksStore::Runs(const FamilyPtr& index) const {
  rocksdb::ColumnFamilyMetaData files;
  db_->GetColumnFamilyMetaData(index.get(), &files);
  int64_t runs = 0;
  for (const rocksdb::LevelMetaData& level : files.levels) {
    const auto count = static_cast<int64_t>(level.files.size());
    runs += level.level == 0 ? count : std::min<int64_t>(count, 1);
  }
  return runs;
}

void RocksStore::JoinRuns(const FamilyPtr& index) {
  if (index_damaged_) return;
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  // An error is told to the listener.
  db_->CompactRange(options, index.get(), nullptr, nullptr).PermitUncheckedError();
}

void RocksStore::StopJoins() { db_->DisableManualCompaction(); }

absl::Status RocksStore::IndexesDropped() {
  if (!index_damaged_) return absl::OkStatus();
  // A power cut that brings it back costs another time of making the index anew.
  const auto deleted = files_->DeleteFile(IndexMarkPath(settings_->path), {}, nullptr);
  if (!deleted.ok() && !deleted.IsNotFound() && !deleted.IsPathNotFound())
    return FromRocks(deleted);
  index_damaged_ = false;
  return absl::OkStatus();
}

absl::Status RocksStore::Flush(const FamilyPtr& family) {
  RETURN_IF_ERROR(files_->wal_guard().Check());
  rocksdb::FlushOptions options;
  options.wait = true;
  options.allow_write_stall = true;
  return FromRocks(db_->Flush(options, family.get()));
}

absl::StatusOr<std::vector<CutFile>> RocksStore::Cut(const CutFolders& folders) {
  ASSIGN_OR_RETURN(std::vector<CutFile> files, CutStore(*db_, folders));
  if (index_damaged_) files.push_back({kIndexDamaged, "", 0, false, ""});
  return files;
}

std::unique_ptr<RowCursor> RocksStore::NewCursor(const FamilyPtr& family,
                                                 size_t readahead_bytes) const {
  rocksdb::ReadOptions options;
  options.fill_cache = readahead_bytes == 0;
  options.readahead_size = readahead_bytes;
  options.total_order_seek = true;
  return std::make_unique<RowCursor>(
      family, std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, family.get())));
}

std::unique_ptr<RowCursor> RocksStore::NewPartitionCursor(const FamilyPtr& slice) const {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  // The prefix bloom leaves out the tables without the partition. A fixed readahead would be paid
  // in each of the others at every Seek(): it begins by itself where reads are sequential.
  options.prefix_same_as_start = true;
  return std::make_unique<RowCursor>(
      slice, std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, slice.get())));
}

std::unique_ptr<RowCursor> RocksStore::NewTableCursor(const FamilyPtr& slice, PartitionId partition,
                                                      Offset at) const {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.prefix_same_as_start = true;
  options.table_filter = [partition, at](const rocksdb::TableProperties& table) {
    const auto span = ReadSpan(table, partition);
    return span.has_value() && span->first <= at && at <= span->last;
  };
  return std::make_unique<RowCursor>(
      slice, std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, slice.get())));
}

std::unique_ptr<RowCursor> RocksStore::NewReaderCursor(const FamilyPtr& slice,
                                                       PartitionId partition, Offset at) const {
  const uint64_t flushes = listener_ == nullptr ? 0 : listener_->flushes();
  return readers_->NewCursor(*db_, slice, partition, at, flushes);
}

size_t RocksStore::OpenReaders() const { return readers_->open(); }

Offset RocksStore::NextBlock(const FamilyPtr& slice, PartitionId partition, Offset from,
                             Offset last) const {
  Offset high = last + 1;
  rocksdb::TablePropertiesCollection tables;
  if (!db_->GetPropertiesOfAllTables(slice.get(), &tables).ok()) return high;
  for (const auto& [file, properties] : tables) {
    const auto span = ReadSpan(*properties, partition);
    if (!span.has_value() || span->last < from) continue;
    high = std::min(high, span->first > from ? span->first : span->last + 1);
  }
  // The indexes of the table files tell how many bytes of blocks lie between two keys.
  const std::string begin = LogKey(partition, from);
  const auto in_same_block = [&](Offset offset) {
    const std::string end = LogKey(partition, offset);
    const rocksdb::Range range(begin, end);
    uint64_t bytes = 0;
    const rocksdb::Status status = db_->GetApproximateSizes(rocksdb::SizeApproximationOptions(),
                                                            slice.get(), &range, 1, &bytes);
    return !status.ok() || bytes == 0;
  };
  Offset low = from;  // In the block of `from`; `high` is not.
  while (low + 1 < high) {
    const Offset middle = low + Lag(low, high) / 2;
    (in_same_block(middle) ? low : high) = middle;
  }
  return high;
}

absl::StatusOr<std::optional<std::string>> RocksStore::Get(const FamilyPtr& family,
                                                           absl::string_view key) const {
  std::string value;
  const rocksdb::Status status =
      db_->Get(rocksdb::ReadOptions(), family.get(), ToSlice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  RETURN_IF_ERROR(FromRocks(status));
  return std::optional<std::string>(std::move(value));
}

absl::Status RocksStore::GetRows(
    const FamilyPtr& family, absl::Span<const std::string> keys,
    absl::FunctionRef<absl::Status(size_t, absl::string_view)> visit) const {
  constexpr size_t kAtOnce = 32;  // As the database does; their values are in memory.
  for (size_t begin = 0; begin < keys.size(); begin += kAtOnce) {
    const auto part = keys.subspan(begin, kAtOnce);
    const std::vector<rocksdb::Slice> wanted(part.begin(), part.end());
    std::vector<rocksdb::PinnableSlice> values(part.size());
    std::vector<rocksdb::Status> found(part.size());
    db_->MultiGet(rocksdb::ReadOptions(), family.get(), wanted.size(), wanted.data(), values.data(),
                  found.data(), true);
    for (size_t i = 0; i < part.size(); ++i) {
      if (found[i].IsNotFound()) continue;
      RETURN_IF_ERROR(FromRocks(found[i]));
      RETURN_IF_ERROR(visit(begin + i, {values[i].data(), values[i].size()}));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TableExtents> RocksStore::ReadFamilyExtents(const FamilyPtr& family) const {
  rocksdb::TablePropertiesCollection tables;
  RETURN_IF_ERROR(FromRocks(db_->GetPropertiesOfAllTables(family.get(), &tables)));
  TableExtents extents;
  for (const auto& [file, properties] : tables) {
    if (!ReadExtents(*properties, &extents)) {
      return absl::DataLossError(absl::StrCat("table file ", file, " has no readable extents"));
    }
  }
  return extents;
}

int64_t RocksStore::FamilyBytes(const FamilyPtr& family) const {
  uint64_t tables = 0;
  uint64_t memory = 0;
  db_->GetIntProperty(family.get(), rocksdb::DB::Properties::kTotalSstFilesSize, &tables);
  db_->GetIntProperty(family.get(), rocksdb::DB::Properties::kCurSizeAllMemTables, &memory);
  return static_cast<int64_t>(tables + memory);
}

const std::string& RocksStore::wal_folder() const {
  return settings_->wal_dir.empty() ? settings_->path : settings_->wal_dir;
}

absl::StatusOr<std::string> RocksStore::FindUnreached(Incarnation incarnation) const {
  return FindUnreachedGroup(*files_, wal_folder(), incarnation, recovered_.last());
}

StallCounts RocksStore::stalls() const {
  return listener_ == nullptr ? StallCounts() : listener_->Stalls(*db_);
}

int64_t RocksStore::WalBytes(uint64_t from) const {
  int64_t bytes = 0;
  for (const uint64_t number : files_->wals()) {
    if (number < from) continue;
    uint64_t size = 0;
    const std::string path = absl::StrFormat("%s/%06d.log", wal_folder(), number);
    // One that was deleted meanwhile has no size.
    files_->GetFileSize(path, {}, &size, nullptr).PermitUncheckedError();
    bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

std::vector<std::pair<std::string, std::string>> StorageLibraries() {
  return {{"rocksdb", rocksdb::GetRocksVersionAsString()}, {"crc32c", RocksCrc32cName()}};
}

}  // namespace acta
