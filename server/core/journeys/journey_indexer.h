#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "acta/storage/v1/records.pb.h"
#include "server/core/journeys/batch_observer.h"
#include "server/core/journeys/index_buffer.h"
#include "server/core/topics/topic_registry.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/log_engine.h"

namespace acta {

struct JourneyLimits {
  int64_t buffer_bytes = int64_t{16} << 20;       // In memory; then a file is written.
  int64_t buffer_log_bytes = int64_t{512} << 20;  // The same: what a start has to read again.
  // Between two looks at what was published; nobody waits for it who asks.
  absl::Duration pause = absl::Milliseconds(20);
  // What the disk does not give for so long is passed over, and tried again so often.
  absl::Duration io_patience = absl::Minutes(5);
  absl::Duration missed_pause = absl::Minutes(5);
};

// JourneyIndexer reads what becomes visible and keeps the index of it: new entries in memory, and
// when there are many of them in files beside the log. It is a reader like any other: nobody who
// publishes waits for it. How far it is, is on the disk with the files; a start reads the rest
// again, and all of it when the index is lost.
//
// Threads: any; its own reads and writes.
class JourneyIndexer {
 public:
  JourneyIndexer(LogEngine& engine, const Clock& clock, const TopicRegistry& topics,
                 JourneyLimits limits);
  ~JourneyIndexer();

  // Reads how far it is. Once, when topics are there. Files of another form are made anew.
  absl::Status Load();
  // Who sees what is read, too; before Start(). It must live until Stop().
  void SetObserver(BatchObserver* observer) { observer_ = observer; }
  void Start();
  void Stop();

  // Waits until what is visible now is looked at, at most that long. False: it is not yet.
  bool CatchUp(absl::Duration patience);
  // Adds the places of entries with one of these hashes. Blocks on the disk. Errors:
  // DATA_CORRUPTED: the files are damaged, and are made anew from now on.
  absl::Status Find(const std::vector<uint64_t>& hashes, IndexPlaces* out) const;
  // Events of the partition were passed over, because the disk does not give them; of any.
  bool Misses(PartitionId partition) const;
  bool MissesAny() const;
  // What of the partition is damaged, and so passed over for good, and has not gone since, was
  // appended by then; InfinitePast(): nothing.
  absl::Time DamagedUntil(PartitionId partition) const;
  // Forgets the index and makes it anew from the log, behind the caller's back. Blocks.
  absl::Status Rebuild();

  struct Figures {
    int64_t lag_events = 0;         // Visible and not looked at, with those missed.
    int64_t missed_events = 0;      // Passed over, because the disk does not give some of them.
    absl::Duration lag;             // Since when the oldest of them waits.
    int64_t indexed_events = 0;     // Since the start.
    int64_t entries = 0;            // In memory.
    int64_t files = 0;              // Written since the start.
    int64_t unreadable_events = 0;  // Passed over, since the start.
  };
  Figures Measure() const;

 private:
  // What was passed over because the disk did not give it, with what lies between.
  struct Missed {
    Offset first;
    Offset end;
    bool empty() const { return first >= end; }
    friend bool operator==(const Missed&, const Missed&) = default;
  };
  struct Followed {
    v1::JourneyMode mode = v1::JOURNEY_MODE_FULL;  // Of all that is looked at.
    Offset next;                                   // Everything below it is looked at.
    Offset on_disk;                                // Everything below it is in files.
    uint64_t wake = 0;                             // The engine's number while it waits for news.
    // It has news; since then at the earliest.
    absl::Time behind_since = absl::InfiniteFuture();
    // Since boot: the disk does not give what is at `next`.
    absl::Duration refused_since = absl::InfiniteDuration();
    Missed missed;
    Missed missed_on_disk;  // As its position says.
    // Damaged events are below, appended by then.
    Offset damaged_end;
    int64_t damaged_until_us = 0;
    absl::Duration missed_until;  // Since boot: then it is tried again.
  };
  using Entries = std::vector<IndexEntry>;
  // How far a partition is.
  struct Reached {
    PartitionId partition;
    Offset next;
    Missed missed;
    absl::Time behind_since;
  };

  void Loop();
  // What is damaged.
  void MakeAnew();
  // One turn for each partition with news. False: there is more.
  bool Pass();
  // Follows new partitions, and those of deleted topics no more.
  void Refresh();
  void Follow(PartitionId partition, v1::JourneyMode mode) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // All that is there is looked at again.
  void BeginAnew(PartitionId partition, Followed* followed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddNews(PartitionId partition);
  // A part of what the partition has; false: it may have more.
  bool ReadSome(PartitionId partition);
  // Adds what is to be found of them.
  void Collect(PartitionId partition, v1::JourneyMode mode, const std::vector<BatchPtr>& batches);
  // A part of what was missed, of partitions where it is time.
  void TryMissed();
  // Where it goes on behind what it read of it, or what is lost for good; nothing: the disk does
  // not give it.
  std::optional<Offset> ReadMissed(PartitionId partition, v1::JourneyMode mode,
                                   const Missed& missed);
  // Unless it begins anew meanwhile. `read_until`: when the last of them was appended, if known.
  void Move(PartitionId partition, Offset from, Offset to,
            absl::Time read_until = absl::InfinitePast()) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The same, of what the disk does not give and is passed over.
  void Miss(PartitionId partition, Offset from, Offset to) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Events below are damaged.
  void NoteDamage(PartitionId partition, Offset end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The disk did not give something, and it is not long since that began.
  bool MayPass(PartitionId partition, const absl::Status& status);
  // Goes on behind what cannot be read. As ReadSome().
  bool PassOver(PartitionId partition, Offset next, const absl::Status& status);
  void Await(PartitionId partition, Offset next);
  storage::v1::IndexedRecord PositionAt(const Followed& followed, Offset offset) const;
  std::vector<Reached> Positions() const;
  // Has the thread hurry until it is done. False: until then it was not, or it is to stop.
  bool WaitUntil(absl::Duration until, absl::FunctionRef<bool()> done)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool NeedsFile() const;
  // False: the disk is full, or the engine stops.
  bool WriteFile();

  LogEngine& engine_;
  const Clock& clock_;
  const TopicRegistry& topics_;
  const JourneyLimits limits_;

  Mutex file_mu_;         // One file, or one Rebuild(), at a time; taken before the others.
  mutable Mutex mu_;      // Held over calls of the engine that do not block, and call nobody.
  mutable CondVar work_;  // There are news.
  CondVar hurry_up_;      // Somebody waits.
  CondVar moved_;         // It is further than it was.
  absl::btree_map<PartitionId, Followed> followed_ ABSL_GUARDED_BY(mu_);
  // Positions on the disk of partitions that are not followed.
  absl::btree_map<PartitionId, storage::v1::IndexedRecord> stored_ ABSL_GUARDED_BY(mu_);
  std::set<PartitionId> news_ ABSL_GUARDED_BY(mu_);
  std::set<PartitionId> later_ ABSL_GUARDED_BY(mu_);  // Could not be read: tried again.
  mutable bool damaged_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time anew_after_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();  // Then it is made anew.
  uint64_t topics_seen_ ABSL_GUARDED_BY(mu_) = 0;                      // The registry's version.
  int waiting_ ABSL_GUARDED_BY(mu_) = 0;                               // Calls of CatchUp().
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  int64_t indexed_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t unreadable_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t files_ ABSL_GUARDED_BY(mu_) = 0;

  mutable Mutex buffer_mu_;  // Leaf.
  mutable IndexBuffer buffer_ ABSL_GUARDED_BY(buffer_mu_);
  std::shared_ptr<const Entries> writing_ ABSL_GUARDED_BY(buffer_mu_);  // On its way to a file.

  BatchObserver* observer_ = nullptr;
  // Of the thread.
  Entries read_;           // Of ReadSome(); its memory is kept.
  int64_t log_bytes_ = 0;  // Since the last file.
  absl::Time not_before_;  // Of the next file, when the disk was full.
  std::thread thread_;
};

}  // namespace acta
