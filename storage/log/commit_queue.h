#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "storage/base/fatal.h"
#include "storage/base/histogram.h"
#include "storage/base/mutex.h"
#include "storage/log/group_writer.h"
#include "storage/log_engine.h"

namespace acta {

// CommitQueue is the one way into the log. A group is what arrived while the one before it was
// written: there are no timers. The commit thread writes, the sync thread syncs behind it; a lone
// small transaction is written by the thread that brings it.
//
// Threads:   any. `done` of a transaction runs on the commit or sync thread, or inside Submit();
//            after a failure also inside Poison().
// Ownership: borrows writer, store and sink, which must outlive Stop().
// Errors:    after a failed write or sync nothing is acknowledged: every later transaction and all
//            that wait are answered OUTCOME_UNKNOWN. Then the sink is told, once, by a thread of
//            its own, which gives the answers a moment to leave the process.
class CommitQueue {
 public:
  struct Options {
    int64_t in_flight_bytes = int64_t{64} << 20;
    int64_t group_bytes = int64_t{1} << 20;
    size_t group_transactions = 512;
    int64_t source_bytes = int64_t{256} << 10;  // Of one source in a group that others wait for.
    int64_t inline_bytes = int64_t{4} << 10;
    // A quarter of it is synced without being asked for; with more than all of it the commit thread
    // waits for the sync thread.
    int64_t unsynced_bytes = int64_t{64} << 20;
    absl::Duration lazy_sync = absl::Seconds(1);  // When nobody asks for a sync.
    // From the failure to the sink. A write that hangs does not make it longer.
    absl::Duration last_words = absl::Milliseconds(500);
  };

  CommitQueue(const Options& options, GroupWriter& writer, RocksStore& store, DiskGuard& disk,
              FatalSink& sink, GroupNumber synced);
  ~CommitQueue();

  // Who may still write when the disk is nearly full.
  enum class Urgency { kNormal, kFreesDisk };
  // See LogEngine::Submit().
  absl::Status Submit(Transaction transaction, Urgency urgency = Urgency::kNormal);
  // Submits and blocks until the level is reached: for threads that may wait, never for `done`.
  absl::Status SubmitAndWait(Transaction transaction, Urgency urgency = Urgency::kNormal);
  // Of these partitions the rows of producer sequences tell of all below an offset afterwards. Same
  // threads.
  absl::Status SaveProducers(const std::map<PartitionPtr, Offset>& below);
  bool HasRoom() const { return in_flight_.load(std::memory_order_relaxed) < limit(); }
  void WhenRoom(absl::AnyInvocable<void()> wake);

  // Keeps writers out while it lives. Waits for the group that is being written.
  class Pause {
   public:
    explicit Pause(CommitQueue& queue) : queue_(queue) { queue_.Enter(); }
    ~Pause() { queue_.Leave(); }
    Pause(const Pause&) = delete;

   private:
    CommitQueue& queue_;
  };

  // Refuses what comes later, finishes what was accepted, syncs, ends the threads.
  void Stop();

  // The database failed behind the queue's back: nothing is acknowledged any more.
  void Poison(absl::string_view what);

  int64_t in_flight_bytes() const { return in_flight_.load(std::memory_order_relaxed); }
  int64_t limit() const { return options_.in_flight_bytes; }
  int64_t unsynced_bytes() const {
    MutexLock lock(sync_mu_);
    return unsynced_bytes_;
  }
  GroupNumber synced_group() const { return GroupNumber(synced_.load()); }
  int64_t syncs() const { return syncs_.load(std::memory_order_relaxed); }
  bool failed() const { return failed_.load(); }
  LogUnderWay under_way() const;
  // Of a group's write, and of a sync.
  const Histogram& write_times() const { return write_times_; }
  const Histogram& sync_times() const { return sync_times_; }

 private:
  void CommitLoop();
  void SyncLoop();
  void FatalLoop();
  absl::Status Admit(const Transaction& transaction, int64_t bytes, Urgency urgency) const;
  std::vector<Queued> TakeGroup() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // By the one writer, without any lock.
  void RunGroup(std::vector<Queued> transactions);
  absl::Status Write(std::vector<Queued> transactions, WrittenGroup* written);
  void SyncNow(std::vector<WrittenGroup> groups);
  absl::Status Sync(int64_t bytes);
  void Answer(Settled settled);
  void Fail(absl::string_view what, std::vector<Settled> waiting);
  void AnswerUnknown(std::vector<Settled> waiting);
  // What is in the queue, or written and not synced.
  std::vector<Settled> TakeWaiting();
  void Release(int64_t bytes);
  void Enter();
  void Leave();

  const Options options_;
  GroupWriter& writer_;
  RocksStore& store_;
  DiskGuard& disk_;
  FatalSink& sink_;

  Mutex mu_;         // Leaf.
  CondVar work_;     // For the commit thread.
  CondVar entered_;  // For Enter().
  std::deque<Queued> queue_ ABSL_GUARDED_BY(mu_);
  // Somebody is the one writer just now.
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  int pausing_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;

  mutable Mutex sync_mu_;  // Leaf.
  CondVar sync_work_;
  CondVar sync_room_;
  std::vector<WrittenGroup> to_sync_ ABSL_GUARDED_BY(sync_mu_);
  int64_t unsynced_bytes_ ABSL_GUARDED_BY(sync_mu_) = 0;  // What is being synced, too.
  int64_t to_sync_bytes_ ABSL_GUARDED_BY(sync_mu_) = 0;
  bool sync_wanted_ ABSL_GUARDED_BY(sync_mu_) = false;
  bool sync_stopping_ ABSL_GUARDED_BY(sync_mu_) = false;

  Mutex fatal_mu_;  // Leaf.
  CondVar fatal_work_;
  std::vector<std::string> fatal_causes_ ABSL_GUARDED_BY(fatal_mu_);
  bool fatal_stopping_ ABSL_GUARDED_BY(fatal_mu_) = false;

  Mutex room_mu_;  // Leaf.
  std::vector<absl::AnyInvocable<void()>> room_wakes_ ABSL_GUARDED_BY(room_mu_);

  Histogram write_times_;
  Histogram sync_times_;
  std::atomic<int64_t> in_flight_{0};
  std::atomic<uint64_t> synced_{0};
  std::atomic<int64_t> syncs_{0};
  // When the writer, and the sync, that is at work began, by the steady clock; 0: none is.
  std::atomic<int64_t> write_begun_ns_{0};
  std::atomic<int64_t> sync_begun_ns_{0};
  std::atomic<bool> failed_{false};
  std::thread commit_thread_;
  std::thread sync_thread_;
  std::thread fatal_thread_;  // There before it is needed: it must not depend on memory.
};

}  // namespace acta
