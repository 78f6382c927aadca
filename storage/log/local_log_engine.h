#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/backup.h"
#include "storage/base/clock.h"
#include "storage/base/fatal.h"
#include "storage/base/mutex.h"
#include "storage/log/commit_queue.h"
#include "storage/log/index_tidier.h"
#include "storage/log/local_engine_options.h"
#include "storage/log/log_reader.h"
#include "storage/log/log_table.h"
#include "storage/log/partition_log.h"
#include "storage/log/server_clock.h"
#include "storage/log/slice_index.h"
#include "storage/log/slice_keeper.h"
#include "storage/log/slice_set.h"
#include "storage/log/store_opening.h"
#include "storage/log_engine.h"
#include "storage/state/siphash.h"

namespace acta {

// The embedded engine: one data folder of this machine. See LogEngine for the contract.
//
// Threads:   any; its own are the commit, sync and maintenance threads.
// Ownership: borrows clock and sink.
class LocalLogEngine final : public LogEngine, public BackupSource {
 public:
  // Opens or creates the folder. Errors: FOLDER_IN_USE, FOLDER_UNUSABLE, FORMAT_TOO_NEW,
  // DATA_LOST, DISK_FULL.
  static absl::StatusOr<std::unique_ptr<LocalLogEngine>> Open(const LocalEngineOptions& options,
                                                              FatalSink& sink, const Clock& clock);
  ~LocalLogEngine() override;

  absl::Status OpenTopic(TopicId topic, int32_t partitions, const TopicSettings& settings) override;
  void DropTopic(TopicId topic) override;
  absl::Status Submit(Transaction transaction) override;
  bool HasRoom() const override { return queue_->HasRoom(); }
  void WhenRoom(absl::AnyInvocable<void()> wake) override { queue_->WhenRoom(std::move(wake)); }
  absl::StatusOr<PartitionExtent> Extent(PartitionId partition) const override;
  absl::StatusOr<std::optional<std::vector<BatchPtr>>> ReadCached(PartitionId partition,
                                                                  Offset from,
                                                                  size_t max_bytes) const override;
  absl::StatusOr<std::vector<BatchPtr>> Read(PartitionId partition, Offset from,
                                             size_t max_bytes) const override;
  absl::StatusOr<uint64_t> WhenPast(PartitionId partition, Offset offset,
                                    absl::AnyInvocable<void()> wake) override;
  void CancelWake(PartitionId partition, uint64_t wake) override;
  absl::StatusOr<Offset> FindOffset(PartitionId partition, int64_t time_us) const override;
  absl::StatusOr<OffsetInfo> Locate(PartitionId partition, Offset offset) const override;
  Incarnation incarnation() const override { return opened_.incarnation; }
  absl::Status CheckPosition(PartitionId partition, Incarnation incarnation,
                             Offset offset) const override;
  using LogEngine::LoadRows;
  absl::StatusOr<RowList> LoadRows(const RowRange& range) const override;
  EventIdHash HashEventId(absl::string_view source, absl::string_view id) const override;
  absl::Status AddToIndex(absl::Span<const IndexEntry> entries) override {
    return index_->Add(entries);
  }
  absl::Status FindInIndex(std::vector<uint64_t> hashes, IndexPlaces* out) const override {
    return index_->Find(std::move(hashes), out);
  }
  IndexSize SizeOfIndex() const override;
  absl::Status DropIndex() override { return slices_->DropIndexes(); }
  absl::Time Now() const override { return server_clock_->Now(); }
  absl::Duration ClockJump() const override { return server_clock_->jump(); }
  absl::Duration AcceptClock() override { return server_clock_->Accept(); }
  DiskState disk_state() const override { return disk_.state(); }
  EngineStats Stats() const override;
  LogUnderWay UnderWay() const override { return queue_->under_way(); }
  std::string store_id() const override { return opened_.store_id; }
  absl::StatusOr<ScrubPage> Scrub(const ScrubOrder& order) override;
  BackupSource* backup_source() override { return this; }
  absl::StatusOr<BackupInfo> Backup(const BackupOrder& order) override;
  void Stop() override;

  // For tests: what the maintenance thread does, now.
  absl::Status MaintainNow();

 private:
  LocalLogEngine(const LocalEngineOptions& options, FatalSink& sink, const Clock& clock);
  void Start(OpenedStore opened);
  absl::StatusOr<PartitionPtr> Find(PartitionId partition) const;
  // A partition is in one slice in one piece: a topic that comes back to a class gets a new one.
  // Unless it comes back just now, it may go on in its newest piece.
  absl::Status AvoidReturn(const std::vector<PartitionPtr>& partitions, int64_t slice_class,
                           bool comes);
  // Partitions of the topic from `have` up to `want`, with what the disk has of them.
  std::vector<PartitionPtr> Claim(TopicId topic, int32_t have, int32_t want);
  // Waits for the next round of a thread; false: it is to end.
  bool WaitOrEnd();
  void WitnessLoop();
  void MaintenanceLoop();
  // Retention, and the sequences that are due to be saved.
  absl::Status Trim(absl::Time now, SliceKeeper::Precision precision)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(maintenance_mu_);
  void LookAtDisk();
  void UpdateWitness(bool clean);
  void OnFatal(const std::string& what);

  const LocalEngineOptions options_;
  FatalSink& sink_;
  const Clock& clock_;
  OpenedStore opened_;
  SipKey id_key_;
  DiskGuard disk_;
  LogTable table_;
  std::unique_ptr<ServerClock> server_clock_;
  std::unique_ptr<SliceSet> slices_;
  std::unique_ptr<GroupWriter> writer_;
  std::unique_ptr<LogReader> reader_;
  std::unique_ptr<CommitQueue> queue_;
  std::unique_ptr<SliceKeeper> keeper_;
  std::unique_ptr<SliceIndex> index_;
  std::unique_ptr<IndexTidier> tidier_;
  mutable std::atomic<int64_t> cold_reads_{0};
  mutable std::atomic<int64_t> cache_reads_{0};

  Mutex topics_mu_;    // One topic is opened or dropped at a time; held over the disk.
  Mutex unopened_mu_;  // Leaf.
  std::map<PartitionId, PartitionStart> unopened_ ABSL_GUARDED_BY(unopened_mu_);

  Mutex maintenance_mu_;  // Held over the disk; one maintenance at a time.
  std::atomic<bool> in_backup_{false};
  Mutex stop_mu_;  // Leaf.
  CondVar stop_wake_;
  bool stopping_ ABSL_GUARDED_BY(stop_mu_) = false;
  bool stopped_ = false;
  std::atomic<bool> fatal_{false};
  std::thread witness_thread_;  // On its own: it must not wait for what maintenance writes.
  std::thread maintenance_thread_;
};

}  // namespace acta
