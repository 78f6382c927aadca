#include "storage/log/store_opening.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "acta/storage/v1/records.pb.h"
#include "proto/support/error.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"
#include "storage/log/backup_record.h"
#include "storage/log/backup_writer.h"
#include "storage/rocks/rocks_options.h"
#include "storage/rocks/rocks_status.h"
#include "storage/rocks/store_file_system.h"
#include "storage/rocks/store_listener.h"

namespace acta {
namespace {

// Collects what is wrong; a start with loss needs one report, not the first finding only.
class LossReport {
 public:
  void Add(std::string finding) { findings_.push_back(std::move(finding)); }
  bool empty() const { return findings_.empty(); }
  absl::Status Refuse(const std::string& folder) const {
    return Error(
        v1::DATA_LOST,
        absl::StrCat("data folder '", folder, "' lost acknowledged data:\n  - ",
                     absl::StrJoin(findings_, "\n  - "),
                     "\nNothing was changed that a backup could not replace. Look at it with "
                     "`acta-inspect verify`, restore a backup, or start with --accept-loss: what "
                     "is left is then served under a new incarnation, and readers are told where "
                     "their log was cut."),
        {{"path", folder}});
  }
  void Accept() const {
    for (const std::string& finding : findings_) {
      LogWarn("loss accepted", {{"finding", finding}});
    }
  }

 private:
  std::vector<std::string> findings_;
};

void CheckWals(const WitnessRecord& witness, const StoreFileSystem& files, LossReport* report) {
  const std::set<uint64_t> live = files.live();
  for (const uint64_t number : witness.live_wals) {
    if (!live.contains(number)) {
      report->Add(absl::StrCat("write-ahead log file ", number, " is missing"));
    }
  }
}

// A power cut may take the unsynced end of an older log file and leave a newer one: the replay has
// ended before the hole, and CheckGroups() decides whether all that was synced is there. Nothing
// else makes a hole but damage.
absl::Status CheckHole(const RocksStore& rocks, bool clean, bool power_cut, Incarnation incarnation,
                       LossReport* report) {
  if (power_cut) return absl::OkStatus();
  std::string hole = rocks.recovered().hole;
  // After a clean stop the witness knows the last group.
  if (hole.empty() && !clean) {
    ASSIGN_OR_RETURN(hole, rocks.FindUnreached(incarnation));
  }
  if (!hole.empty()) report->Add(absl::StrCat("a hole in the log: ", hole));
  return absl::OkStatus();
}

void CheckGroups(const WitnessRecord& witness, const RecoveredStore& recovered,
                 LossReport* report) {
  if (recovered.first_replayed.has_value() &&
      recovered.first_replayed->value() > recovered.max_in_tables.value() + 1) {
    report->Add(absl::StrCat("the log begins with group ", recovered.first_replayed->value(),
                             ", but table files end with group ", recovered.max_in_tables.value()));
  }
  // Table files are written after the log files they came from were synced.
  if (recovered.last_replayed.has_value() && recovered.max_in_tables > *recovered.last_replayed) {
    report->Add(absl::StrCat("the log ends with group ", recovered.last_replayed->value(),
                             ", but table files reach group ", recovered.max_in_tables.value()));
  }
  if (recovered.last() < witness.synced_group) {
    report->Add(absl::StrCat("group ", witness.synced_group.value(),
                             " was synced, but recovery ends with group ",
                             recovered.last().value()));
  }
}

TableExtents ExtentsOf(const storage::v1::SliceRecord& record) {
  TableExtents extents;
  for (const storage::v1::SlicePartition& partition : record.partitions()) {
    PartitionSpan& span = extents.spans[PartitionId(partition.partition_id())];
    span.first = Offset(partition.first_offset());
    span.last = Offset(partition.last_offset());
    span.begin_bytes = partition.begin_bytes();
    span.end_bytes = partition.end_bytes();
    span.first_time_us = partition.first_time_us();
    span.last_time_us = partition.last_time_us();
  }
  return extents;
}

// Calls `visit` with what follows the prefix in each key, and the record. `kind` is named where one
// cannot be read.
template <typename Record, typename Visit>
absl::Status VisitRecords(const RocksStore& rocks, absl::string_view prefix, absl::string_view kind,
                          Visit visit) {
  const auto cursor = rocks.NewCursor(rocks.meta(), 0);
  for (cursor->Seek(prefix); cursor->Valid() && absl::StartsWith(cursor->key(), prefix);
       cursor->Next()) {
    Record record;
    if (!record.ParseFromArray(cursor->value().data(), static_cast<int>(cursor->value().size()))) {
      return Error(v1::DATA_CORRUPTED, absl::StrCat("a ", kind, " record cannot be read"));
    }
    RETURN_IF_ERROR(visit(cursor->key().substr(prefix.size()), std::move(record)));
  }
  return cursor->status();
}

// Every partition of the topics there are, also those without events; what is left of other topics
// belongs to nobody. What the ledger had stays for when it is kept again.
absl::Status MatchTopics(const RocksStore& rocks, bool keeps_ledger, OpenedStore* opened) {
  std::set<uint64_t> topics;
  if (keeps_ledger) topics.insert(kLedgerTopic.value());  // It has no record.
  RETURN_IF_ERROR(VisitRecords<storage::v1::TopicRecord>(
      rocks, kTopicRows, "topic", [&](absl::string_view, storage::v1::TopicRecord record) {
        topics.insert(record.topic_id());
        for (int32_t number = 0; number < record.topic().partitions(); ++number) {
          opened->partitions.try_emplace(PartitionId(TopicId(record.topic_id()), number));
        }
        return absl::OkStatus();
      }));
  std::erase_if(opened->partitions, [&](const auto& partition) {
    const PartitionId id = partition.first;
    if (topics.contains(id.topic().value())) return false;
    if (id.topic() == kLedgerTopic) return true;
    opened->left.push_back({Family::kMeta, PartitionRow(id), std::nullopt});
    opened->left.push_back({Family::kState, ProducerRow(id), std::nullopt});
    return true;
  });
  return absl::OkStatus();
}

// Of what came before the ledger was switched on, while it was off, or before a loss, it does not
// tell all.
void NoteLedger(bool keeps_ledger, bool lost, storage::v1::StoreRecord* store,
                OpenedStore* opened) {
  if (!keeps_ledger) return store->clear_ledger_since_us();
  const int64_t now_us = absl::ToUnixMicros(opened->least_time);
  if (store->ledger_since_us() == 0 || lost) store->set_ledger_since_us(now_us);
  int64_t& before_us = opened->partitions[kLedgerPartition].trimmed_before_us;
  before_us = std::max(before_us, store->ledger_since_us());
}

// The slice that a family's name speaks of. Errors: DATA_CORRUPTED.
absl::StatusOr<SlicePtr> SliceOfFamily(const std::string& name) {
  const std::vector<std::string> parts = absl::StrSplit(name, '.');
  auto slice = std::make_shared<Slice>();
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[1], &slice->class_seconds) ||
      !absl::SimpleAtoi(parts[2], &slice->id)) {
    return Error(v1::DATA_CORRUPTED, absl::StrCat("unknown family '", name, "'"));
  }
  return slice;
}

// An index whose slice is gone was being dropped with it.
absl::Status LoadIndexes(RocksStore& rocks, OpenedStore* opened) {
  std::vector<FamilyPtr> left;
  for (const auto& [name, family] : rocks.indexes()) {
    ASSIGN_OR_RETURN(const SlicePtr of, SliceOfFamily(name));
    const bool there = std::any_of(opened->slices.begin(), opened->slices.end(),
                                   [&of](const SlicePtr& slice) { return slice->id == of->id; });
    if (there) {
      opened->indexes[of->id] = family;
    } else {
      left.push_back(family);
    }
  }
  return rocks.DropFamilies(left);
}

absl::Status LoadSlices(const RocksStore& rocks, OpenedStore* opened) {
  std::map<uint64_t, storage::v1::SliceRecord> records;
  RETURN_IF_ERROR(VisitRecords<storage::v1::SliceRecord>(
      rocks, kSliceRows, "slice", [&](absl::string_view, storage::v1::SliceRecord record) {
        records[record.slice_id()] = std::move(record);
        return absl::OkStatus();
      }));
  for (const auto& [name, family] : rocks.slices()) {
    ASSIGN_OR_RETURN(const SlicePtr slice, SliceOfFamily(name));
    slice->family = family;
    slice->bytes = rocks.FamilyBytes(family);
    const auto record = records.extract(slice->id);
    const bool closed = !record.empty() && record.mapped().closed_us() != 0;
    ASSIGN_OR_RETURN(const TableExtents extents,
                     closed ? absl::StatusOr<TableExtents>(ExtentsOf(record.mapped()))
                            : rocks.ReadFamilyExtents(family));
    int64_t oldest_us = 0;
    for (const auto& [partition, span] : extents.spans) {
      opened->partitions[partition].spans.emplace_back(slice, span);
      if (oldest_us == 0 || span.first_time_us < oldest_us) oldest_us = span.first_time_us;
    }
    slice->created_us = record.empty() ? oldest_us : record.mapped().created_us();
    slice->closed = closed;
    opened->slices.push_back(slice);
  }
  for (const auto& [id, record] : records) {
    opened->left.push_back({Family::kMeta, SliceRow(id), std::nullopt});
  }
  std::sort(opened->slices.begin(), opened->slices.end(),
            [](const SlicePtr& a, const SlicePtr& b) { return a->id < b->id; });
  for (auto& [partition, start] : opened->partitions) {
    std::sort(start.spans.begin(), start.spans.end(),
              [](const auto& a, const auto& b) { return a.second.first < b.second.first; });
  }
  return absl::OkStatus();
}

absl::Status LoadPartitions(const RocksStore& rocks, OpenedStore* opened) {
  return VisitRecords<storage::v1::PartitionRecord>(
      rocks, kPartitionRows, "partition",
      [&](absl::string_view id, const storage::v1::PartitionRecord& record) {
        if (id.size() != 8) return Error(v1::DATA_CORRUPTED, "a partition record cannot be read");
        PartitionStart& start = opened->partitions[PartitionId(GetBig64(id.data()))];
        start.first = Offset(record.first_offset());
        start.first_bytes = record.first_bytes();
        start.first_time_us = record.first_time_us();
        start.trimmed_before_us = record.trimmed_before_us();
        for (const storage::v1::IncarnationStart& life : record.incarnations()) {
          start.incarnations.push_back(
              {Incarnation(life.incarnation()), Offset(life.start_offset())});
        }
        return absl::OkStatus();
      });
}

// A new life of the log: every partition notes where it begins. Written and synced here, before
// anybody else writes.
absl::Status RaiseIncarnation(OpenedStore* opened, uint32_t by, storage::v1::StoreRecord* store) {
  opened->incarnation = Incarnation(opened->incarnation.value() + by);
  store->set_incarnation(opened->incarnation.value());
  for (auto& [partition, start] : opened->partitions) {
    // A life in which nothing came tells no more than this one.
    std::vector<IncarnationStartAt>& lives = start.incarnations;
    while (!lives.empty() && lives.back().start >= start.end()) lives.pop_back();
    lives.push_back({opened->incarnation, start.end()});
  }
  LogWarn(by > 1 ? "the log begins a new incarnation: it was restored from a backup"
                 : "the log begins a new incarnation: unsynced events may be gone",
          {{"incarnation", opened->incarnation.value()}});
  return absl::OkStatus();
}

absl::Status WriteStart(OpenedStore* opened, const storage::v1::StoreRecord& store, bool raised) {
  RocksStore& rocks = *opened->rocks;
  WriteGroup group(GroupNumber(opened->last_group.value() + 1), opened->incarnation);
  std::string number(8, '\0');
  PutLittle<uint64_t>(number.data(), group.group().value());
  group.Put(rocks.meta(), kGroupRow, number);
  group.Put(rocks.meta(), kStoreRow, store.SerializeAsString());
  if (raised) {
    for (const auto& [partition, start] : opened->partitions) {
      group.Put(rocks.meta(), PartitionRow(partition), EncodePartitionRecord(start));
    }
  }
  // A deletion was cut short, or retention wrote its row behind it.
  if (!opened->left.empty()) group.Put(rocks.state(), kGroupRow, number);
  for (const RowWrite& row : std::exchange(opened->left, {})) {
    group.Delete(row.family == Family::kMeta ? rocks.meta() : rocks.state(), row.key);
  }
  RETURN_IF_ERROR(rocks.Write(group));
  RETURN_IF_ERROR(rocks.SyncWal());
  opened->last_group = group.group();
  return absl::OkStatus();
}

// Writes the first one of a new folder, before there is a database: a start that is cut short
// leaves no store without a witness.
absl::StatusOr<WitnessRecord> LoadWitness(const LocalEngineOptions& options,
                                          const std::string& boot, OpenedStore* opened,
                                          LossReport* report) {
  const std::string path = absl::StrCat(options.data, "/", kWitnessFile);
  ASSIGN_OR_RETURN(const bool database_exists,
                   IsThere(absl::StrCat(options.data, "/", kDatabaseFolder, "/CURRENT")));
  ASSIGN_OR_RETURN(opened->witness, Witness::Open(opened->files, path));
  const auto loaded = opened->witness->Load();
  if (!loaded.ok()) {
    if (ReasonOf(loaded.status()) != v1::DATA_LOST) return loaded.status();
    report->Add(std::string(loaded.status().message()));
    return WitnessRecord();
  }
  if (!loaded->has_value() && database_exists) {
    report->Add("the witness file is missing or empty");
    return WitnessRecord();
  }
  if (loaded->has_value()) {
    if ((*loaded)->synced_group > GroupNumber() && !database_exists) {
      report->Add("the database is missing");
    }
    return **loaded;
  }
  RETURN_IF_ERROR(opened->witness->Update([&boot](WitnessRecord& record) {
    record.store_id = RandomId();
    record.incarnation = Incarnation(1);
    record.boot_id = boot;
  }));
  return opened->witness->record();
}

absl::StatusOr<storage::v1::StoreRecord> LoadStoreRecord(const OpenedStore& opened,
                                                         const WitnessRecord& witness,
                                                         LossReport* report) {
  storage::v1::StoreRecord store;
  ASSIGN_OR_RETURN(const auto row, opened.rocks->Get(opened.rocks->meta(), kStoreRow));
  if (row.has_value() && !store.ParseFromString(*row)) {
    return Error(v1::DATA_CORRUPTED, "the store record cannot be read");
  }
  if (!row.has_value()) {
    store.set_store_id(witness.store_id.empty() ? RandomId() : witness.store_id);
    store.set_incarnation(std::max(1u, witness.incarnation.value()));
  } else if (!witness.store_id.empty() && witness.store_id != store.store_id()) {
    report->Add("the witness file belongs to another store");
  }
  return store;
}

// What opening writes at most: the tables made of what is replayed, which was all in memtables when
// the log was written (they are flushed at seven eighths of their limit), and some small files.
int64_t BytesToOpen(const LocalEngineOptions& options, const std::string& wals) {
  constexpr int64_t kSmallFiles = int64_t{4} << 20;
  int64_t replayed = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator at(wals, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code unknown;
    const auto size = static_cast<int64_t>(at->file_size(unknown));
    if (WalNumber(at->path().string()) >= 0 && !unknown) replayed += size;
  }
  return std::min(replayed, options.memtable_bytes / 8 * 7) + kSmallFiles;
}

absl::Status NoRoom(const LocalEngineOptions& options, absl::string_view why) {
  return Error(v1::DISK_FULL, absl::StrCat("no room to open the database of '", options.data, "': ",
                                           why, "; nothing is lost: free disk and start again"));
}

absl::Status NotAllowed(const LocalEngineOptions& options, const absl::Status& why) {
  return Error(v1::FOLDER_UNUSABLE,
               absl::StrCat("cannot open the database of '", options.data, "': ", why.message(),
                            "; ", HelpAgainst(why), " and start again"),
               {{"path", options.data}});
}

bool DeleteBallast(const LocalEngineOptions& options) {
  std::error_code error;
  if (!std::filesystem::remove(absl::StrCat(options.data, "/", kBallastFile), error)) return false;
  LogWarn("no room to open the database: the ballast file was deleted", {{"path", options.data}});
  return true;
}

// Asked before: when a write fails while the database is opened, the library ends the process.
absl::Status MakeRoom(const LocalEngineOptions& options, const std::string& wals) {
  const int64_t needed = BytesToOpen(options, wals);
  if (FreeBytes(options.data) >= needed) return absl::OkStatus();
  if (DeleteBallast(options) && FreeBytes(options.data) >= needed) return absl::OkStatus();
  return NoRoom(options, absl::StrCat(needed, " bytes are needed and ", FreeBytes(options.data),
                                      " are free"));
}

// Damage that no start can pass.
absl::Status CannotOpen(const std::string& folder, v1::ErrorReason reason,
                        const absl::Status& why) {
  return Error(reason,
               absl::StrCat("the database of '", folder, "' cannot be opened: ", why.message(),
                            "; look at it with `acta-inspect verify` and restore a backup"),
               {{"path", folder}});
}

absl::StatusOr<std::unique_ptr<RocksStore>> OpenRocks(const LocalEngineOptions& options,
                                                      const std::string& wals,
                                                      const std::shared_ptr<StoreFileSystem>& files,
                                                      const RocksStore::OnFatal& on_fatal) {
  RETURN_IF_ERROR(MakeRoom(options, wals));
  RocksSettings settings;
  settings.path = absl::StrCat(options.data, "/", kDatabaseFolder);
  settings.wal_dir = options.wal_dir;
  settings.memtable_bytes = static_cast<size_t>(options.memtable_bytes);
  settings.write_buffer_bytes = static_cast<size_t>(options.write_buffer_bytes);
  settings.row_buffer_bytes = std::min(settings.row_buffer_bytes, settings.write_buffer_bytes);
  settings.deletion_bytes_per_second = options.deletion_bytes_per_second;
  settings.direct_io = SupportsDirectIo(options.data);
  auto rocks = RocksStore::Open(settings, files, on_fatal);
  if (!rocks.ok() && absl::IsResourceExhausted(rocks.status()) && DeleteBallast(options)) {
    rocks = RocksStore::Open(settings, files, on_fatal);
  }
  if (ReasonOf(rocks.status()) != v1::DATA_CORRUPTED) return rocks;
  return CannotOpen(options.data, v1::DATA_LOST, rocks.status());
}

// The witness follows the list of log files that live.
void KeepList(const OpenedStore& opened) {
  // A database that was left alone after a fatal error may still delete files.
  const std::weak_ptr<Witness> opened_witness = opened.witness;
  const StoreFileSystem* files = opened.files.get();
  opened.files->SetListener([opened_witness, files, listener = opened.rocks->listener()] {
    const std::shared_ptr<Witness> witness_file = opened_witness.lock();
    if (witness_file == nullptr) return absl::OkStatus();
    // Asked under its lock: of two changes the later is last. The database passes over a failure.
    auto written = witness_file->Update([files](auto& row) { row.live_wals = files->live(); });
    if (!written.ok()) listener->Tell(absl::StrCat("witness: ", written.message()));
    return written;
  });
}

absl::StatusOr<OpenedStore> OpenWhole(const LocalEngineOptions& options, const Clock& clock,
                                      const RocksStore::OnFatal& on_fatal) {
  OpenedStore opened;
  RETURN_IF_ERROR(RefuseBackup(options.data));
  opened.files = std::make_shared<StoreFileSystem>(options.file_system);
  RETURN_IF_ERROR(EnsureFolder(*opened.files, options.data));
  ASSIGN_OR_RETURN(opened.lock, FolderLock::Take(options.data));
  if (options.when_locked) options.when_locked();
  RemoveCut(options);  // It may be what the disk is full of.
  RETURN_IF_ERROR(EnsureFormat(*opened.files, options.data));
  const std::string database = absl::StrCat(options.data, "/", kDatabaseFolder);
  const std::string wals = options.wal_dir.empty() ? database : options.wal_dir;
  RETURN_IF_ERROR(EnsureFolder(*opened.files, database));
  if (wals != database) RETURN_IF_ERROR(EnsureFolder(*opened.files, wals));
  if (const absl::Status read = opened.files->LoadExisting(wals); !read.ok()) {
    return Error(v1::FOLDER_UNUSABLE, absl::StrCat("cannot read '", wals, "': ", read.message(),
                                                   "; correct its owner and mode"));
  }
  LossReport report;
  const std::string boot = options.boot_id.empty() ? KernelBootId() : options.boot_id;
  ASSIGN_OR_RETURN(const WitnessRecord witness, LoadWitness(options, boot, &opened, &report));
  CheckWals(witness, *opened.files, &report);
  if (!report.empty() && !options.accept_loss) return report.Refuse(options.data);

  ASSIGN_OR_RETURN(opened.rocks, OpenRocks(options, wals, opened.files, on_fatal));
  const RecoveredStore& recovered = opened.rocks->recovered();
  const bool power_cut = MayBeAnotherBoot(witness.boot_id, boot) && !witness.clean;
  ASSIGN_OR_RETURN(storage::v1::StoreRecord store, LoadStoreRecord(opened, witness, &report));
  opened.store_id = store.store_id();
  opened.incarnation = Incarnation(std::max(store.incarnation(), witness.incarnation.value()));
  RETURN_IF_ERROR(CheckHole(*opened.rocks, witness.clean, power_cut, opened.incarnation, &report));
  CheckGroups(witness, recovered, &report);
  if (!report.empty() && !options.accept_loss) return report.Refuse(options.data);
  report.Accept();

  opened.last_group = recovered.last();
  opened.least_time = std::max(clock.Wall(), absl::FromUnixMicros(witness.server_time_us));
  RETURN_IF_ERROR(LoadSlices(*opened.rocks, &opened));
  RETURN_IF_ERROR(LoadPartitions(*opened.rocks, &opened));
  const bool keeps_ledger = options.ledger_retention > absl::ZeroDuration();
  RETURN_IF_ERROR(MatchTopics(*opened.rocks, keeps_ledger, &opened));
  NoteLedger(keeps_ledger, !report.empty(), &store, &opened);
  const bool raised = power_cut || !report.empty();
  if (raised) RETURN_IF_ERROR(RaiseIncarnation(&opened, NextLife(witness), &store));
  RETURN_IF_ERROR(WriteStart(&opened, store, raised));
  RETURN_IF_ERROR(opened.witness->Update([&](WitnessRecord& record) {
    record.store_id = opened.store_id;
    record.incarnation = opened.incarnation;
    record.boot_id = boot;
    record.synced_group = opened.last_group;
    record.server_time_us = absl::ToUnixMicros(opened.least_time);
    record.clean = false;
    record.live_wals = opened.files->live();
  }));
  KeepList(opened);
  opened.files->AcceptRecovery();
  RETURN_IF_ERROR(LoadIndexes(*opened.rocks, &opened));
  EnsureBallast(options.data, options.ballast_bytes, options.watermarks.hard);
  return opened;
}

}  // namespace

absl::StatusOr<OpenedStore> OpenStore(const LocalEngineOptions& options, const Clock& clock,
                                      const RocksStore::OnFatal& on_fatal) {
  auto opened = OpenWhole(options, clock, on_fatal);
  if (opened.ok()) return opened;
  const absl::Status& status = opened.status();
  const v1::ErrorReason reason = ReasonOf(status);
  if (reason == v1::DATA_CORRUPTED) return CannotOpen(options.data, reason, status);
  if (reason != v1::ERROR_REASON_UNSPECIFIED) return opened;
  // Where disk, owner of a file or a limit of the process is at fault nobody is to fetch a backup.
  if (absl::IsResourceExhausted(status)) return NoRoom(options, status.message());
  if (!HelpAgainst(status).empty()) return NotAllowed(options, status);
  return CannotOpen(options.data, v1::DATA_LOST, status);
}

}  // namespace acta
