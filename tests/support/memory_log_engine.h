#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "storage/base/mutex.h"
#include "storage/log_engine.h"
#include "storage/state/producer_table.h"

namespace acta {

// A LogEngine in memory, with the contract of the real one and hands on its time and its faults.
// Every write is "synced" and answered inside Submit(), unless completions are held.
//
// Threads: any.
class MemoryLogEngine : public LogEngine {
 public:
  explicit MemoryLogEngine(absl::Time now = absl::FromUnixSeconds(1'700'000'000));

  // A new life on what this one has stored, as after `kill -9`. Topics are to be opened again.
  std::unique_ptr<MemoryLogEngine> Restart() const;
  // As after a power cut: events at and above `end`, a border of batches, are gone and the
  // incarnation rises.
  void LoseTail(PartitionId partition, Offset end);

  void SetNow(absl::Time now);
  void Advance(absl::Duration by);
  void SetClockJump(absl::Duration jump);
  void SetDiskState(DiskState state);
  void SetUnderWay(LogUnderWay under_way) {
    MutexLock lock(mu_);
    under_way_ = under_way;
  }

  // What is appended until EndGroup() is of a group that takes its time now, and is being written.
  void BeginGroup() {
    MutexLock lock(mu_);
    group_time_ = now_;
  }
  void EndGroup() {
    MutexLock lock(mu_);
    group_time_ = std::nullopt;
  }
  // From now on the disk is slow: nothing is answered, and what is visible at FSYNC stays hidden,
  // until ReleaseDone().
  void HoldDone();
  // Answers what was held, in order, on this thread.
  void ReleaseDone();
  // Answers the oldest, and holds what comes.
  void ReleaseOne();
  size_t held() const;
  // The next Submit() refuses with this, and its `done` is dropped.
  void FailNextSubmit(absl::Status status);
  // The next transaction is answered with this, and nothing of it is stored.
  void FailNextWrite(absl::Status status);
  // The next Read() answers this.
  void FailNextRead(absl::Status status);
  // The next LoadRows() answers this.
  void FailNextRows(absl::Status status);
  // From now on Read() answers this of the stored batch that holds the offset. OK: it gives it.
  void FailReadsAt(PartitionId partition, Offset offset, absl::Status status);
  // The next AddToIndex() answers this, and nothing is added.
  void FailNextIndex(absl::Status status);
  // FindInIndex() answers this until DropIndex().
  void BreakIndex(absl::Status status);
  // Without room HasRoom() is false and appends are refused PUBLISH_QUEUE_FULL.
  void SetRoom(bool room);
  // How many wait to be woken when there is.
  size_t waiting_for_room() const {
    MutexLock lock(mu_);
    return room_wakes_.size();
  }
  // How many wait to be woken by events.
  size_t waiting_for_events() const;

  // Asked before a trim, as LocalEngineOptions::before_trim. Set it before anybody reads.
  std::function<absl::Status(PartitionId, Offset)> before_trim;
  std::function<void(const std::vector<PartitionId>&)> after_trim;  // The same.
  // Logical retention: `first` becomes the oldest offset readers see. Beyond the end it fails, when
  // all that is asked before has been asked.
  void TrimTo(PartitionId partition, Offset first);
  // How many rows LoadRows() has answered since the start.
  int64_t rows_loaded() const { return rows_loaded_.load(std::memory_order_relaxed); }
  // False: ReadCached() knows only the end, everything else is asked of Read().
  void SetCachedReads(bool cached);
  // The stored batch that holds the offset fails its checksum from now on.
  void CorruptBatch(PartitionId partition, Offset offset);
  // Batches a page of Scrub(), whatever its budget.
  void SetScrubPage(int64_t batches);
  absl::Duration last_scrub_budget() const;

  absl::Status OpenTopic(TopicId topic, int32_t partitions, const TopicSettings& settings) override;
  void DropTopic(TopicId topic) override;
  absl::Status Submit(Transaction transaction) override;
  bool HasRoom() const override;
  void WhenRoom(absl::AnyInvocable<void()> wake) override;
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
  Incarnation incarnation() const override;
  absl::Status CheckPosition(PartitionId partition, Incarnation incarnation,
                             Offset offset) const override;
  using LogEngine::LoadRows;
  absl::StatusOr<RowList> LoadRows(const RowRange& range) const override;
  EventIdHash HashEventId(absl::string_view source, absl::string_view id) const override;
  absl::Status AddToIndex(absl::Span<const IndexEntry> entries) override;
  absl::Status FindInIndex(std::vector<uint64_t> hashes, IndexPlaces* out) const override;
  IndexSize SizeOfIndex() const override;
  absl::Status DropIndex() override;
  absl::Time Now() const override;
  absl::Duration ClockJump() const override;
  absl::Duration AcceptClock() override;
  DiskState disk_state() const override;
  EngineStats Stats() const override;
  LogUnderWay UnderWay() const override {
    MutexLock lock(mu_);
    return under_way_;
  }
  std::string store_id() const override { return "0123456789abcdef0123456789abcdef"; }
  absl::StatusOr<ScrubPage> Scrub(const ScrubOrder& order) override;
  void Stop() override;

 private:
  using Wake = absl::AnyInvocable<void()>;
  struct IdPosition {
    Offset offset;
    Incarnation incarnation;
    int64_t time_us = 0;
  };
  using IdKey = std::pair<uint64_t, uint64_t>;
  struct Partition {
    Offset first;
    Offset going_below;
    uint64_t first_bytes = 0;
    Offset end;
    uint64_t end_bytes = 0;
    int64_t last_time_us = 0;
    int64_t trimmed_before_us = 0;
    Offset visible_end;
    std::vector<BatchPtr> batches;           // Kept ones, oldest first.
    std::set<Offset> corrupted;              // Base offsets.
    std::map<Offset, absl::Status> refused;  // The same.
    std::vector<std::pair<Incarnation, Offset>> lives;
    ProducerTable producers;
    std::map<IdKey, IdPosition> ids;
  };
  struct OpenedTopic {
    TopicSettings settings;
    int32_t partitions = 0;
  };
  struct Waiting {
    uint64_t number = 0;
    Offset past;
    Wake wake;
  };
  // What an append changed, to take it back.
  struct Undo {
    PartitionId partition;
    Offset end;
    uint64_t end_bytes = 0;
    int64_t last_time_us = 0;
    bool stored = false;
    uint64_t producer_id = 0;
    std::optional<ProducerState> producer;
    std::vector<std::pair<IdKey, std::optional<IdPosition>>> ids;
  };
  struct Held {
    GroupNumber group;
    std::vector<PartitionId> written;
    TransactionResult result;
    absl::AnyInvocable<void(TransactionResult)> done;
  };
  // What runs once the lock is free.
  using Due = std::vector<std::pair<uint64_t, Wake>>;

  absl::StatusOr<const Partition*> Find(PartitionId id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Partition* FindOpen(PartitionId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static absl::Status CheckReadable(const Partition& partition, Offset from);
  static std::vector<BatchPtr>::const_iterator BatchAt(const Partition& partition, Offset offset);

  // What a lost tail takes with it.
  static void ForgetFrom(Offset end, Partition* partition);
  // Bytes of the first `count` elements (tag, length, bytes) of a payload.
  static size_t ElementBytes(absl::string_view payload, int64_t count);

  void RaiseFirst(PartitionId id, Offset first);
  absl::Status Admit(const Transaction& transaction) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Rows of the ledger become the last append.
  void TakeLedger(Transaction* transaction) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Decide(Transaction& transaction, Held* held) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DecideAtomic(Transaction& transaction, Held* held) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Accept(const Append& append, AppendResult* result, std::vector<Undo>* undo)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // True when the sequence alone answers the append.
  bool AnswerSequence(const Append& append, const Partition& partition, AppendResult* result) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FindDuplicates(const Append& append, const TopicSettings& settings, Partition* partition,
                      AppendResult* result, Undo* undo) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Store(const Append& append, Partition* partition, AppendResult* result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeBack(Undo& undo) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WriteRows(const std::vector<RowWrite>& rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Shows everything written to the partition; the wakes that are due go to `due`.
  void Show(PartitionId id, Due* due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunWakes(Due due);
  void Finish(Held held);

  mutable Mutex mu_;  // Leaf: no callback runs under it.
  CondVar wakes_ran_;
  std::map<PartitionId, Partition> partitions_ ABSL_GUARDED_BY(mu_);
  std::map<TopicId, OpenedTopic> topics_ ABSL_GUARDED_BY(mu_);
  std::map<std::pair<Family, std::string>, std::string> rows_ ABSL_GUARDED_BY(mu_);
  std::set<IndexEntry> index_ ABSL_GUARDED_BY(mu_);
  mutable std::atomic<int64_t> rows_loaded_{0};
  std::map<PartitionId, std::vector<Waiting>> waiting_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, std::thread::id> running_wakes_ ABSL_GUARDED_BY(mu_);
  uint64_t next_wake_ ABSL_GUARDED_BY(mu_) = 1;
  std::vector<Held> held_ ABSL_GUARDED_BY(mu_);
  std::vector<Wake> room_wakes_ ABSL_GUARDED_BY(mu_);
  bool holding_ ABSL_GUARDED_BY(mu_) = false;
  bool room_ ABSL_GUARDED_BY(mu_) = true;
  bool cached_reads_ ABSL_GUARDED_BY(mu_) = true;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status fail_submit_ ABSL_GUARDED_BY(mu_);
  absl::Status fail_write_ ABSL_GUARDED_BY(mu_);
  mutable absl::Status fail_read_ ABSL_GUARDED_BY(mu_);
  mutable absl::Status fail_rows_ ABSL_GUARDED_BY(mu_);
  absl::Status fail_index_ ABSL_GUARDED_BY(mu_);
  absl::Status broken_index_ ABSL_GUARDED_BY(mu_);
  int64_t scrub_page_ ABSL_GUARDED_BY(mu_) = 1'000'000;
  absl::Duration scrub_budget_ ABSL_GUARDED_BY(mu_);
  Incarnation incarnation_ ABSL_GUARDED_BY(mu_) = Incarnation(1);
  absl::Time now_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Time> group_time_ ABSL_GUARDED_BY(mu_);
  absl::Duration clock_jump_ ABSL_GUARDED_BY(mu_);
  DiskState disk_ ABSL_GUARDED_BY(mu_) = DiskState::kOk;
  LogUnderWay under_way_ ABSL_GUARDED_BY(mu_);
  mutable EngineStats stats_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
