#include "storage/log/local_log_engine.h"

#include <pthread.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "storage/base/log.h"
#include "storage/base/slow_log.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"
#include "storage/log/backup_writer.h"
#include "storage/log/dedupe_recovery.h"
#include "storage/log/payload_cut.h"
#include "storage/log/scrubber.h"
#include "storage/rocks/store_cut.h"
#include "storage/rocks/store_file_system.h"

namespace acta {

absl::StatusOr<std::unique_ptr<LocalLogEngine>> LocalLogEngine::Open(
    const LocalEngineOptions& options, FatalSink& sink, const Clock& clock) {
  std::unique_ptr<LocalLogEngine> engine(new LocalLogEngine(options, sink, clock));
  LocalLogEngine* raw = engine.get();
  ASSIGN_OR_RETURN(
      OpenedStore opened,
      OpenStore(engine->options_, clock, [raw](const std::string& what) { raw->OnFatal(what); }));
  engine->Start(std::move(opened));
  if (options.ledger_retention > absl::ZeroDuration()) {
    TopicSettings ledger;
    ledger.dedupe = Dedupe::kOff;
    ledger.retention = options.ledger_retention;
    RETURN_IF_ERROR(engine->OpenTopic(kLedgerTopic, 1, ledger));
  }
  return engine;
}

LocalLogEngine::LocalLogEngine(const LocalEngineOptions& options, FatalSink& sink,
                               const Clock& clock)
    : options_(options), sink_(sink), clock_(clock), disk_(options.watermarks) {}

void LocalLogEngine::Start(OpenedStore opened) {
  opened_ = std::move(opened);
  const std::string key = absl::HexStringToBytes(opened_.store_id);
  if (key.size() == 16) {
    id_key_ = {GetLittle<uint64_t>(key.data()), GetLittle<uint64_t>(key.data() + 8)};
  }
  server_clock_ = std::make_unique<ServerClock>(clock_, opened_.least_time);
  slices_ = std::make_unique<SliceSet>(*opened_.rocks);
  for (SlicePtr& slice : opened_.slices) slices_->Add(std::move(slice));
  opened_.slices.clear();
  for (auto& [slice, index] : opened_.indexes) slices_->AddIndex(slice, std::move(index));
  opened_.indexes.clear();
  {
    MutexLock lock(unopened_mu_);
    unopened_ = std::move(opened_.partitions);
  }
  LookAtDisk();
  GroupWriter::Options writer;
  writer.tail_cache_bytes = options_.tail_cache_bytes;
  writer.dedupe_bytes = options_.dedupe_bytes;
  writer.snapshot_bytes = options_.snapshot_bytes;
  writer.snapshot_group_bytes = options_.snapshot_group_bytes;
  writer.id_key = id_key_;
  writer_ = std::make_unique<GroupWriter>(writer, *opened_.rocks, table_, *slices_, *server_clock_,
                                          disk_, opened_.last_group, opened_.incarnation);
  reader_ = std::make_unique<LogReader>(*opened_.rocks);
  CommitQueue::Options queue;
  queue.in_flight_bytes = options_.in_flight_bytes;
  queue.lazy_sync = options_.lazy_sync;
  queue_ = std::make_unique<CommitQueue>(queue, *writer_, *opened_.rocks, disk_, sink_,
                                         opened_.last_group);
  keeper_ =
      std::make_unique<SliceKeeper>(options_, *opened_.rocks, *slices_, table_, *queue_, *reader_);
  index_ = std::make_unique<SliceIndex>(*opened_.rocks, *slices_, table_, *queue_);
  tidier_ = std::make_unique<IndexTidier>(*opened_.rocks, *slices_, disk_, clock_);
  witness_thread_ = std::thread([this] { WitnessLoop(); });
  pthread_setname_np(witness_thread_.native_handle(), "acta-witness");
  maintenance_thread_ = std::thread([this] { MaintenanceLoop(); });
  pthread_setname_np(maintenance_thread_.native_handle(), "acta-keeper");
}

LocalLogEngine::~LocalLogEngine() {
  Stop();
  if (opened_.rocks != nullptr) opened_.rocks->StopTelling();
}

void LocalLogEngine::OnFatal(const std::string& what) {
  fatal_ = true;
  if (queue_ != nullptr) {
    queue_->Poison(what);
  } else {
    sink_.Fatal(what);
  }
}

absl::StatusOr<PartitionPtr> LocalLogEngine::Find(PartitionId partition) const {
  PartitionPtr found = table_.Find(partition);
  if (found == nullptr) return Error(v1::PARTITION_NOT_FOUND, "the partition is not there");
  return found;
}

std::vector<PartitionPtr> LocalLogEngine::Claim(TopicId topic, int32_t have, int32_t want) {
  std::vector<PartitionPtr> claimed;
  MutexLock lock(unopened_mu_);
  for (int32_t number = have; number < want; ++number) {
    const PartitionId id(topic, number);
    PartitionStart start;
    if (const auto at = unopened_.find(id); at != unopened_.end()) start = at->second;
    claimed.push_back(std::make_shared<PartitionLog>(id, std::move(start)));
  }
  return claimed;
}

absl::Status LocalLogEngine::AvoidReturn(const std::vector<PartitionPtr>& partitions,
                                         int64_t slice_class, bool comes) {
  const SlicePtr current = slices_->Current(slice_class);
  for (const PartitionPtr& partition : partitions) {
    std::vector<PartitionLog::Piece> pieces = partition->Pieces();
    if (!comes && !pieces.empty()) pieces.pop_back();
    for (const PartitionLog::Piece& piece : pieces) {
      if (piece.slice != current) continue;
      MutexLock lock(maintenance_mu_);
      return keeper_->Renew({slice_class}, server_clock_->Now());
    }
  }
  return absl::OkStatus();
}

absl::Status LocalLogEngine::OpenTopic(TopicId topic, int32_t partitions,
                                       const TopicSettings& settings) {
  MutexLock lock(topics_mu_);
  const int64_t slice_class = SliceClassOf(settings.retention);
  RETURN_IF_ERROR(slices_->EnsureClass(slice_class, absl::ToUnixMicros(server_clock_->Now())));
  TopicLogPtr log = table_.Find(topic);
  const bool known = log != nullptr;
  if (known && SliceClassOf(log->settings().retention) != slice_class) {
    RETURN_IF_ERROR(AvoidReturn(log->partitions(), slice_class, true));
  }
  if (!known) log = std::make_shared<TopicLog>(topic, settings, options_.dedupe_max_ids);
  const auto have = static_cast<int32_t>(log->partitions().size());
  const std::vector<PartitionPtr> added = Claim(topic, have, partitions);
  RETURN_IF_ERROR(AvoidReturn(added, slice_class, false));
  for (const PartitionPtr& partition : added) {
    RETURN_IF_ERROR(RecoverProducers(*opened_.rocks, *reader_, server_clock_->Now(),
                                     options_.accept_loss, *partition));
  }
  int64_t room = 0;
  {
    CommitQueue::Pause pause(*queue_);
    writer_->AddRecovered(added);
    if (!known && settings.dedupe == Dedupe::kIds) {
      room = writer_->IdsForOneMore(options_.dedupe_max_ids);
    }
  }
  if (known) {
    CommitQueue::Pause pause(*queue_);  // Settings and ids are the writer's.
    const int64_t from_us = absl::ToUnixMicros(server_clock_->Now());
    log->ids.SetWindow(settings.dedupe_window, from_us);
    if (log->settings().dedupe != Dedupe::kIds) log->ids.MissesBefore(from_us);
    log->SetSettings(settings);
    for (const PartitionPtr& partition : added) log->Add(partition);
  } else {
    for (const PartitionPtr& partition : added) log->Add(partition);
    ASSIGN_OR_RETURN(const int64_t ids, RecoverIds(*reader_, id_key_, server_clock_->Now(), room,
                                                   options_.accept_loss, *log));
    CommitQueue::Pause pause(*queue_);
    table_.Add(log);
    writer_->AddIds(ids);
  }
  MutexLock unopened(unopened_mu_);
  for (const PartitionPtr& partition : added) unopened_.erase(partition->id());
  return absl::OkStatus();
}

void LocalLogEngine::DropTopic(TopicId topic) {
  MutexLock lock(topics_mu_);
  const TopicLogPtr removed = table_.Find(topic);
  if (removed == nullptr) return;
  // While the table has them: whoever cancels a wake meanwhile waits for it.
  for (const PartitionPtr& partition : removed->partitions()) partition->Drop();
  {
    CommitQueue::Pause pause(*queue_);
    table_.Remove(topic);
    writer_->AddIds(-removed->ids.size());
  }
  Transaction transaction;
  for (const PartitionPtr& partition : removed->partitions()) {
    transaction.rows.push_back({Family::kMeta, PartitionRow(partition->id()), std::nullopt});
    transaction.rows.push_back({Family::kState, ProducerRow(partition->id()), std::nullopt});
  }
  transaction.done = [](TransactionResult) {};
  // Rows that stay, after a failure or because a trim writes one now, are of no topic: the next
  // start removes them.
  const absl::Status submitted =
      queue_->Submit(std::move(transaction), CommitQueue::Urgency::kFreesDisk);
  if (!submitted.ok()) {
    LogWarn("rows of a deleted topic stay", {{"topic_id", topic.value()}});
  }
}

absl::Status LocalLogEngine::Submit(Transaction transaction) {
  return queue_->Submit(std::move(transaction));
}

absl::StatusOr<PartitionExtent> LocalLogEngine::Extent(PartitionId partition) const {
  const TopicLogPtr topic = table_.Find(partition.topic());
  const PartitionPtr log = topic == nullptr ? nullptr : topic->Find(partition.partition());
  if (log == nullptr) return Error(v1::PARTITION_NOT_FOUND, "the partition is not there");
  const int64_t now_us = absl::ToUnixMicros(server_clock_->Now());
  const int64_t written_before_us = writer_->WrittenBefore(now_us);  // Before the end is read.
  PartitionExtent extent = log->Extent();
  extent.effective_dedupe_window = topic->ids.EffectiveWindow(now_us);
  extent.written_before_us = written_before_us;
  return extent;
}

absl::StatusOr<std::optional<std::vector<BatchPtr>>> LocalLogEngine::ReadCached(
    PartitionId partition, Offset from, size_t max_bytes) const {
  ASSIGN_OR_RETURN(const PartitionPtr log, Find(partition));
  cache_reads_.fetch_add(1, std::memory_order_relaxed);
  return log->ReadCached(from, max_bytes);
}

absl::StatusOr<std::vector<BatchPtr>> LocalLogEngine::Read(PartitionId partition, Offset from,
                                                           size_t max_bytes) const {
  ASSIGN_OR_RETURN(const PartitionPtr log, Find(partition));
  cold_reads_.fetch_add(1, std::memory_order_relaxed);
  const SlowTimer timer(SlowOperation::kRead, "of", "log");
  return reader_->Read(*log, from, max_bytes);
}

absl::StatusOr<uint64_t> LocalLogEngine::WhenPast(PartitionId partition, Offset offset,
                                                  absl::AnyInvocable<void()> wake) {
  ASSIGN_OR_RETURN(const PartitionPtr log, Find(partition));
  return log->WhenPast(offset, std::move(wake));
}

void LocalLogEngine::CancelWake(PartitionId partition, uint64_t wake) {
  const PartitionPtr log = table_.Find(partition);
  if (log != nullptr) log->CancelWake(wake);
}

absl::StatusOr<Offset> LocalLogEngine::FindOffset(PartitionId partition, int64_t time_us) const {
  ASSIGN_OR_RETURN(const PartitionPtr log, Find(partition));
  const PartitionExtent extent = log->Extent();
  if (extent.last_time_us < time_us) return extent.visible_end;
  const auto header = reader_->FindFirst(
      *log, [time_us](const BatchHeader& batch) { return batch.append_time_us >= time_us; });
  if (header.ok() && header->has_value()) return std::max(extent.first, (*header)->base_offset);
  if (header.ok()) return extent.visible_end;
  // Damaged where it looked: the first slice that reaches the time, so that a reader gets earlier
  // events rather than none of those it asked for.
  for (const PartitionLog::Piece& piece : log->Pieces()) {
    if (piece.span.last < extent.first || piece.span.last_time_us < time_us) continue;
    return std::clamp(piece.span.first, extent.first, extent.visible_end);
  }
  return extent.visible_end;
}

absl::StatusOr<OffsetInfo> LocalLogEngine::Locate(PartitionId partition, Offset offset) const {
  ASSIGN_OR_RETURN(const PartitionPtr log, Find(partition));
  RETURN_IF_ERROR(log->CheckReadable(offset));
  const PartitionExtent extent = log->Extent();
  if (offset >= extent.visible_end) return OffsetInfo{extent.visible_end_bytes, 0};
  ASSIGN_OR_RETURN(const BatchPtr batch, reader_->ReadOne(*log, offset));
  const auto before = static_cast<uint32_t>(Lag(batch->base_offset, offset));
  return OffsetInfo{batch->begin_bytes() + BytesOfEvents(batch->payload.view(), before),
                    batch->append_time_us};
}

absl::Status LocalLogEngine::CheckPosition(PartitionId partition, Incarnation incarnation,
                                           Offset offset) const {
  ASSIGN_OR_RETURN(const PartitionPtr log, Find(partition));
  return log->CheckPosition(incarnation, offset, opened_.incarnation);
}

absl::StatusOr<RowList> LocalLogEngine::LoadRows(const RowRange& range) const {
  const RocksStore& rocks = *opened_.rocks;
  const auto cursor =
      rocks.NewCursor(range.family == Family::kMeta ? rocks.meta() : rocks.state(), 0);
  cursor->Seek(std::max(range.prefix, range.after));
  const bool at_after = !range.after.empty() && cursor->Valid() && cursor->key() == range.after;
  if (at_after) cursor->Next();
  RowList found;
  size_t bytes = 0;
  for (; cursor->Valid() && absl::StartsWith(cursor->key(), range.prefix); cursor->Next()) {
    bytes += cursor->key().size() + cursor->value().size();
    const bool full = found.size() >= range.max_rows || (!found.empty() && bytes > range.max_bytes);
    if (full) break;
    found.emplace_back(cursor->key(), cursor->value());
  }
  if (const absl::Status status = cursor->status(); !status.ok()) {
    ErrorDetails details;
    const bool damaged = ReasonOf(status) == v1::DATA_CORRUPTED;
    if (!damaged) details.emplace_back(kIoErrorDetail, "true");
    return Error(v1::DATA_CORRUPTED,
                 absl::StrCat("rows '", range.prefix, "' cannot be read: ", status.message()),
                 std::move(details));
  }
  return found;
}

EventIdHash LocalLogEngine::HashEventId(absl::string_view source, absl::string_view id) const {
  return HashEvent(id_key_, source, id);
}

absl::StatusOr<ScrubPage> LocalLogEngine::Scrub(const ScrubOrder& order) {
  return ScrubLog(table_, *reader_, clock_, order);
}

absl::StatusOr<BackupInfo> LocalLogEngine::Backup(const BackupOrder& order) {
  if (in_backup_.exchange(true)) {
    return Error(v1::BACKUP_RUNNING, "a backup is being made: wait for it or stop it");
  }
  const auto end = absl::MakeCleanup([this] {
    RemoveCut(options_);
    in_backup_ = false;
  });
  RemoveCut(options_);
  const BackupPlace place{options_.data, options_.watermarks.soft.Of(disk_.total_bytes()),
                          options_.watermarks.hard.Of(disk_.total_bytes()), opened_.files};
  const auto wals = opened_.files->wals();
  const int64_t newest_bytes = opened_.rocks->WalBytes(wals.empty() ? 0 : *wals.rbegin());
  RETURN_IF_ERROR(CheckRoomForCut(place, order, LogFolder(options_), newest_bytes));
  const CutFolders folders = FoldersOfCut(options_);
  for (const std::string& folder : {folders.tables, folders.log}) {
    const absl::Status made = EnsureFolder(*opened_.files, folder);
    if (!made.ok()) return BackupError(made, folder);
  }
  StoreCut cut;
  cut.witness = opened_.witness->record();
  cut.witness.store_id = opened_.store_id;
  cut.witness.incarnation = opened_.incarnation;
  cut.witness.synced_group = queue_->synced_group();
  cut.time = server_clock_->Now();
  cut.witness.server_time_us = absl::ToUnixMicros(cut.time);
  auto files = index_->Unchanged(
      [&] { return slices_->Unchanged([&] { return opened_.rocks->Cut(folders); }); });
  if (!files.ok()) return BackupError(files.status(), options_.data);
  cut.files = *std::move(files);
  return WriteBackup(cut, place, order);
}

void LocalLogEngine::LookAtDisk() {
  if (options_.disk_space) {
    const auto [free_bytes, total_bytes] = options_.disk_space();
    return disk_.Look(free_bytes, total_bytes);
  }
  struct statvfs disk {};
  if (statvfs(options_.data.c_str(), &disk) != 0) return;
  const auto block = static_cast<int64_t>(disk.f_frsize);
  disk_.Look(static_cast<int64_t>(disk.f_bavail) * block,
             static_cast<int64_t>(disk.f_blocks) * block);
}

void LocalLogEngine::UpdateWitness(bool clean) {
  const GroupNumber synced = queue_->synced_group();
  const int64_t now_us = absl::ToUnixMicros(server_clock_->Now());
  const absl::Status written = opened_.witness->Update([&](WitnessRecord& record) {
    record.synced_group = std::max(record.synced_group, synced);
    record.server_time_us = std::max(record.server_time_us, now_us);
    record.live_wals = opened_.files->live();
    record.clean = clean;
  });
  if (!written.ok()) OnFatal(absl::StrCat("witness: ", written.message()));
}

absl::Status LocalLogEngine::Trim(absl::Time now, SliceKeeper::Precision precision) {
  RETURN_IF_ERROR(keeper_->Trim(now, precision));
  // On a quiet store no other group comes to carry sequences that wait, and a start would read what
  // came since their last row. Refused on a full disk: later groups carry them. On a busy one more
  // may come due than these carry: all else waits for no more of them.
  constexpr int kMostGroups = 64;
  absl::Status brought;
  for (int i = 0; i < kMostGroups && brought.ok() && writer_->snapshots_wait(); ++i) {
    brought = queue_->SubmitAndWait(Transaction());
  }
  return absl::OkStatus();
}

absl::Status LocalLogEngine::MaintainNow() {
  MutexLock lock(maintenance_mu_);
  LookAtDisk();
  server_clock_->Observe();
  const absl::Time now = server_clock_->Now();
  RETURN_IF_ERROR(Trim(now, SliceKeeper::Precision::kExact));
  RETURN_IF_ERROR(keeper_->Rotate(now));
  tidier_->Tick();
  return keeper_->DropUnused([this](uint64_t slice_id) {
    MutexLock unopened(unopened_mu_);
    for (const auto& [partition, start] : unopened_) {
      for (const auto& [slice, span] : start.spans) {
        if (slice->id == slice_id) return true;
      }
    }
    return false;
  });
}

bool LocalLogEngine::WaitOrEnd() {
  MutexLock lock(stop_mu_);
  if (!stopping_) stop_wake_.WaitFor(stop_mu_, options_.witness_interval);
  return !stopping_ && !fatal_ && !queue_->failed();
}

void LocalLogEngine::WitnessLoop() {
  GroupNumber witnessed;
  absl::Duration looked = clock_.SinceBoot();
  while (WaitOrEnd()) {
    // Here: a round of retention may take long, and publishes fill the disk meanwhile.
    const absl::Duration now = clock_.SinceBoot();
    if (now - looked >= options_.maintenance_interval) {
      looked = now;
      LookAtDisk();
    }
    if (queue_->synced_group() == witnessed) continue;
    witnessed = queue_->synced_group();
    UpdateWitness(false);
  }
}

void LocalLogEngine::MaintenanceLoop() {
  absl::Duration last_trim = clock_.SinceBoot();
  absl::Duration last_slices = last_trim;
  while (WaitOrEnd()) {
    const absl::Duration now = clock_.SinceBoot();
    if (now - last_slices >= options_.slice_interval) {
      last_slices = last_trim = now;
      const absl::Status done = MaintainNow();
      if (!done.ok()) LogWarn("maintenance failed", {{"cause", done.message()}});
    } else if (now - last_trim >= options_.maintenance_interval) {
      last_trim = now;
      MutexLock lock(maintenance_mu_);
      opened_.rocks->PaceDeletion();
      server_clock_->Observe();
      const absl::Status done =
          Trim(server_clock_->Now(), SliceKeeper::Precision::kWithinAHundredth);
      if (!done.ok()) LogWarn("retention failed", {{"cause", done.message()}});
    }
  }
}

void LocalLogEngine::Stop() {
  if (stopped_ || queue_ == nullptr) return;
  stopped_ = true;
  {
    MutexLock lock(stop_mu_);
    stopping_ = true;
    stop_wake_.SignalAll();
  }
  if (witness_thread_.joinable()) witness_thread_.join();
  if (maintenance_thread_.joinable()) maintenance_thread_.join();
  tidier_->Stop();
  queue_->Stop();
  if (queue_->failed() || fatal_) return;
  // The queue is empty and its threads are gone: this is the one writer now.
  absl::Status saved = writer_->SaveProducers();
  if (saved.ok()) saved = opened_.rocks->SyncWal();
  if (!saved.ok()) {
    OnFatal(absl::StrCat("stop: ", saved.message()));
    return;
  }
  const GroupNumber last = writer_->last_group();
  const absl::Status witnessed = opened_.witness->Update([&](WitnessRecord& record) {
    record.synced_group = last;
    record.server_time_us = absl::ToUnixMicros(server_clock_->Now());
    record.clean = true;
  });
  if (!witnessed.ok()) OnFatal(absl::StrCat("witness: ", witnessed.message()));
}

}  // namespace acta
