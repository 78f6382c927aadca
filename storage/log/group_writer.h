#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/base/ids.h"
#include "storage/log/disk_guard.h"
#include "storage/log/log_table.h"
#include "storage/log/server_clock.h"
#include "storage/log/slice_set.h"
#include "storage/log_engine.h"
#include "storage/rocks/rocks_store.h"
#include "storage/state/siphash.h"

namespace acta {

// A transaction whose outcome is decided; `done` waits for its level.
struct Settled {
  absl::AnyInvocable<void(TransactionResult)> done;
  TransactionResult result;
  Level level = Level::kOs;
  int64_t in_flight_bytes = 0;
};

// What one commit group did.
struct WrittenGroup {
  GroupNumber group;
  std::vector<Settled> settled;  // In order.
  // Ends that become visible when the group is synced.
  struct Advance {
    PartitionPtr partition;
    Offset end;
    uint64_t end_bytes = 0;
    int64_t last_time_us = 0;
  };
  std::vector<Advance> advances;
  int64_t bytes = 0;  // Written to the WAL; 0: nothing had to be written.
};

// A transaction on its way, with what it counts against the queue.
struct Queued {
  Transaction transaction;
  int64_t bytes = 0;
};

// GroupWriter decides and writes commit groups: producer sequences, event ids, conditions, then
// offsets and time, one database write for all.
//
// Threads: Write() by whoever is the one writer; counters by any.
class GroupWriter {
 public:
  struct Options {
    int64_t tail_cache_bytes = int64_t{128} << 20;
    int64_t dedupe_bytes = int64_t{256} << 20;
    // Producer sequences are saved after so many bytes or so long, whichever is first; where their
    // row is long, not before as much came as it is long.
    int64_t snapshot_bytes = int64_t{128} << 20;
    absl::Duration snapshot_interval = absl::Seconds(60);
    // A group carries so many bytes of them, and the one row that passes it.
    int64_t snapshot_group_bytes = int64_t{256} << 10;
    SipKey id_key;
  };

  GroupWriter(const Options& options, RocksStore& store, LogTable& table, SliceSet& slices,
              ServerClock& clock, DiskGuard& disk, GroupNumber last_group, Incarnation incarnation);

  // Fills `written` with every transaction, also when it fails. Errors: a failed write; nothing
  // may be acknowledged any more.
  absl::Status Write(std::vector<Queued> transactions, WrittenGroup* written);
  // Saves the producer sequences of all partitions that have new batches, in as many groups as it
  // takes. Same errors.
  absl::Status SaveProducers();
  // Of these partitions those are due now whose rows do not tell of all below an offset. Returns
  // how many groups carry them at most. Whoever keeps writers out.
  size_t SaveSoon(const std::map<PartitionPtr, Offset>& below);
  // What was read back from the log came since its row. Whoever keeps writers out.
  void AddRecovered(const std::vector<PartitionPtr>& partitions);
  // What was appended before this time is in the extent of its partition. `now_us` was read
  // before. Any thread.
  int64_t WrittenBefore(int64_t now_us) const {
    return writing_.load() ? group_time_us_.load() : now_us;
  }
  // Sequences that are due wait for the next groups: somebody has to bring one. Any thread.
  bool snapshots_wait() const { return snapshots_wait_.load(std::memory_order_relaxed); }

  // How many ids a topic that is opened may have, of `wanted`: those that have most make room for
  // it. Whoever keeps writers out.
  int64_t IdsForOneMore(int64_t wanted) const;
  // Counts ids that were read from the log at the start, or went with their topic, and keeps the
  // budget. Whoever keeps writers out.
  void AddIds(int64_t count);

  GroupNumber last_group() const { return GroupNumber(last_group_.load()); }
  int64_t tail_cache_bytes() const { return cached_bytes_.load(std::memory_order_relaxed); }
  int64_t events() const { return events_.load(std::memory_order_relaxed); }
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  int64_t duplicates() const { return duplicates_.load(std::memory_order_relaxed); }
  int64_t ids() const { return ids_.load(std::memory_order_relaxed); }

 private:
  // One append that was accepted, before it is written.
  struct Accepted {
    TopicLogPtr topic;
    PartitionPtr partition;
    SlicePtr slice;
    std::shared_ptr<StoredBatch> batch;  // Null: all of it is duplicates.
    uint32_t sequence_count = 0;
    Level visible_at = Level::kFsync;
    // For taking it back when another part of its atomic call fails.
    Offset undo_next;
    uint64_t undo_end_bytes = 0;
    int64_t undo_time_us = 0;
    uint64_t producer_id = 0;  // Not 0: its sequence was recorded.
    std::optional<ProducerState> producer_before;
    std::vector<EventIdHash> inserted;
  };

  void Decide(Transaction& transaction, TransactionResult* result);
  void DecideAtomic(Transaction& transaction, TransactionResult* result);
  // Of what a transaction has accepted from `begin` on.
  void OwnSmallParts(const Transaction& transaction, size_t begin);
  // Appends to accepted_, or answers why not in `result`.
  void Accept(Append& append, bool atomic, AppendResult* result);
  // True when the producer's sequence decides alone.
  bool AnswerKnownSequence(const Append& append, const TopicLog& topic,
                           const PartitionLog& partition, AppendResult* result);
  void Place(Append& append, const TopicSettings& settings, uint32_t stored, bool sequenced,
             bool atomic, Accepted* accepted, AppendResult* result);
  void ForgetInserted(Accepted& accepted);
  void FindDuplicates(const Append& append, TopicLog& topic, Offset base, AppendResult* result,
                      std::vector<EventIdHash>* inserted);
  void AnswerRepeated(const Append& append, const TopicLog& topic, const SequencedBatch& stored,
                      AppendResult* result) const;
  void Undo(Accepted& accepted);
  void AddToGroup(const Accepted& accepted);
  void Cache(Accepted& accepted, WrittenGroup* group);
  void AddRows(std::vector<RowWrite>& rows);
  void AddLedger();
  void AddSnapshots();
  void SnapshotProducers(PartitionLog& partition);
  void KeepBudgets();
  int64_t most_ids() const { return options_.dedupe_bytes / IdWindow::kBytesPerId; }
  void KeepIds();

  const Options options_;
  RocksStore& store_;
  LogTable& table_;
  SliceSet& slices_;
  ServerClock& clock_;
  DiskGuard& disk_;
  const Incarnation incarnation_;

  int64_t now_us_ = 0;
  WriteGroup group_;
  bool group_has_data_ = false;
  bool wrote_meta_ = false;
  bool wrote_state_ = false;
  std::vector<Accepted> accepted_;
  std::vector<std::string> ledger_;  // Elements of this group.
  std::vector<PartitionPtr> behind_producers_;
  std::deque<PartitionPtr> due_snapshots_;  // Rows do not depend on each other.
  // With a sequence in this group that no header tells of.
  std::set<PartitionPtr> untold_producers_;
  int64_t bytes_since_snapshot_ = 0;
  int64_t snapshot_time_us_ = 0;
  std::deque<std::pair<PartitionPtr, int64_t>> cached_;  // Oldest first, with bytes.

  std::atomic<bool> writing_{false};
  std::atomic<int64_t> group_time_us_{0};  // Of the group in hand, or of the one before it.
  std::atomic<bool> snapshots_wait_{false};
  std::atomic<uint64_t> last_group_;
  std::atomic<int64_t> cached_bytes_{0};
  std::atomic<int64_t> events_{0};
  std::atomic<int64_t> bytes_{0};
  std::atomic<int64_t> duplicates_{0};
  std::atomic<int64_t> ids_{0};
};

}  // namespace acta
