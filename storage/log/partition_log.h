#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "storage/base/ids.h"
#include "storage/base/mutex.h"
#include "storage/log/slice.h"
#include "storage/log_engine.h"
#include "storage/rocks/table_extents.h"
#include "storage/state/producer_table.h"

namespace acta {

// Where a later life of the log begins in a partition.
struct IncarnationStartAt {
  Incarnation incarnation;
  Offset start;
};

// What is known of a partition when the store is opened.
struct PartitionStart {
  // One past the last event; never below `first`.
  Offset end() const;

  Offset first;
  uint64_t first_bytes = 0;
  int64_t first_time_us = 0;
  int64_t trimmed_before_us = 0;  // Retention may have taken what was appended before.
  std::vector<IncarnationStartAt> incarnations;
  std::vector<std::pair<SlicePtr, PartitionSpan>> spans;  // By offset.
};

// Its row: a PartitionRecord.
std::string EncodePartitionRecord(const PartitionStart& start);

// One partition of the log as readers and the writer see it: its extent, which slice holds which
// offsets, the newest batches in memory, and who waits for more.
//
// Threads: any; the fields of `writer` belong to whoever is the one writer.
class PartitionLog {
 public:
  using Wake = absl::AnyInvocable<void()>;

  // A piece of the partition that is in one slice.
  struct Piece {
    SlicePtr slice;
    PartitionSpan span;
  };

  // Positions as the writer has assigned them, ahead of what is written.
  struct WriterState {
    Offset next;
    uint64_t end_bytes = 0;
    int64_t last_time_us = 0;
    ProducerTable producers;
    // Batches came since the last snapshot of producers, also of those who number nothing: a start
    // reads all that it does not tell of.
    bool producers_behind = false;
    Offset producers_saved;  // It tells of the batches below, which have so many bytes.
    uint64_t producers_saved_bytes = 0;
    size_t producers_row_bytes = 0;  // 0: this life wrote none yet.
  };

  PartitionLog(PartitionId id, PartitionStart start);

  PartitionId id() const { return id_; }
  WriterState writer;

  PartitionExtent Extent() const;
  absl::StatusOr<std::optional<std::vector<BatchPtr>>> ReadCached(Offset from,
                                                                  size_t max_bytes) const;
  // The batch in memory that holds `offset`, or null.
  BatchPtr FindCached(Offset offset) const;
  // OK when `from` lies between first and visible end; else GAP or OFFSET_OUT_OF_RANGE.
  absl::Status CheckReadable(Offset from) const;
  // The piece that holds `offset`, or the first one above it. nullopt: there is none.
  std::optional<Piece> FindPiece(Offset offset) const;
  std::vector<Piece> Pieces() const;
  absl::Status CheckPosition(Incarnation incarnation, Offset offset, Incarnation current) const;

  // Writer: a batch was written to `slice`. It is cached and, once visible, read.
  void Written(const SlicePtr& slice, BatchPtr batch);
  // Readers may see everything below `end`. Wakes those who waited; they run outside the lock.
  void AdvanceVisible(Offset end, uint64_t end_bytes, int64_t last_time_us);
  // Takes the oldest batch out of memory.
  void EvictOldest();

  uint64_t WhenPast(Offset offset, Wake wake);  // 0: it ran already.
  void CancelWake(uint64_t number);

  // Between these two the extent says that what is below `first` is being taken.
  void BeginTrim(Offset first);
  void EndTrim();
  // Logical retention: nothing below `first` is read any more, which was all appended before
  // `trimmed_before_us`. At the offset that is the first one already it corrects the time.
  void RaiseFirst(Offset first, uint64_t first_bytes, int64_t first_time_us,
                  int64_t trimmed_before_us);
  // Forgets pieces of a slice that is being dropped; all of it is below the first offset.
  void ForgetSlice(uint64_t slice_id);
  // The topic is gone: readers are woken and told. No wake is running when it returns.
  void Drop();
  bool dropped() const;
  std::vector<IncarnationStartAt> incarnations() const;
  int64_t trimmed_before_us() const;

 private:
  absl::Status CheckReadableLocked(Offset from) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::deque<BatchPtr>::const_iterator CachedFrom(Offset offset) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunWakes(std::vector<Wake> due);
  // The last life before the newest restore of a backup: all that this log shares with another
  // restore of it, whose life has a higher number. Without one the highest number of all.
  Incarnation BeforeRestore() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const PartitionId id_;
  mutable Mutex mu_;  // Leaf.
  CondVar wakes_done_;
  bool dropped_ ABSL_GUARDED_BY(mu_) = false;
  Offset first_ ABSL_GUARDED_BY(mu_);
  Offset going_below_ ABSL_GUARDED_BY(mu_);
  uint64_t first_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t first_time_us_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t trimmed_before_us_ ABSL_GUARDED_BY(mu_) = 0;
  Offset visible_end_ ABSL_GUARDED_BY(mu_);
  uint64_t visible_end_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t last_time_us_ ABSL_GUARDED_BY(mu_) = 0;
  Offset end_ ABSL_GUARDED_BY(mu_);
  std::vector<std::pair<SlicePtr, PartitionSpan>> spans_ ABSL_GUARDED_BY(mu_);
  std::deque<BatchPtr> cached_ ABSL_GUARDED_BY(mu_);  // Contiguous, up to end_.
  std::vector<IncarnationStartAt> incarnations_ ABSL_GUARDED_BY(mu_);
  struct Waiting {
    uint64_t number;
    Offset past;
    Wake wake;
  };
  std::vector<Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  uint64_t next_wake_ ABSL_GUARDED_BY(mu_) = 1;
  int running_wakes_ ABSL_GUARDED_BY(mu_) = 0;
};
using PartitionPtr = std::shared_ptr<PartitionLog>;

}  // namespace acta
