#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "acta/storage/v1/records.pb.h"
#include "server/core/delivery/partition_queue.h"
#include "server/core/queues/batch_shelf.h"
#include "server/core/queues/group_queue_types.h"
#include "server/core/queues/ledger.h"
#include "server/core/queues/queue_records.h"
#include "server/core/queues/queue_step.h"
#include "server/exec/executor.h"
#include "storage/base/mutex.h"
#include "storage/log_engine.h"

namespace acta {

// GroupQueue is a QUEUE group at work: the queues of its partitions, who waits for events, and the
// rows. Events are looked at only when somebody has credit for them.
//
// Durability: memory is ahead of the disk, answers are not. One write of the group is under way at
//             a time; what changes meanwhile goes with the next one. A write that is refused
//             because the disk is full is tried again every second, and its answers wait.
// Threads:    any. Wakes and answers run outside of the lock, on any thread: they must not block.
// Ownership:  shared by the group and what is under way.
class GroupQueue : public std::enable_shared_from_this<GroupQueue> {
 public:
  struct Deps {
    LogEngine& engine;
    Executor& pool;
    Timer& timer;
    std::shared_ptr<ShelfBudget> shelves = std::make_shared<ShelfBudget>();
    const TopicRegistry* topics = nullptr;  // Of what is kept in the ledger; null: nothing.
  };
  // There may be something to take.
  using Wake = std::function<void()>;
  // What was asked for is durable, or the reason why it may not be.
  using Done = absl::AnyInvocable<void(const absl::Status&)>;

  static std::shared_ptr<GroupQueue> Make(const Deps& deps, GroupId group,
                                          const QueuePolicy& policy, const QueueBudget& budget);
  ~GroupQueue();

  // What is durable of a partition.
  struct Start {
    PartitionId partition;
    storage::v1::PositionRecord record;
    std::vector<StoredParked> parked;
    bool restarted = false;  // Members of the former life of the broker may hold something.
  };
  void Add(const Start& start);  // A partition that is there already stays.
  void BeginGrace();             // Anew: before this no member could come.
  // Takes a partition out and answers what Add() needs to have it back: all of it is on the disk,
  // and nothing of it is written any more, when WaitQuiet() has returned. Its leases are over.
  // nullopt: there is no such partition.
  std::optional<Start> Detach(PartitionId partition);
  // Blocks until all that changed so far is on the disk. Not OK: nothing of it may be, and nothing
  // is written any more: SERVER_STOPPING, or what the disk said.
  // Not `patient`: DISK_FULL at once while the disk is full; it is written later then.
  absl::Status WaitQuiet(bool patient = true);
  // The broker stops: the next write that a full disk refuses is the last one.
  void StopWaiting();
  // For what comes from now on: leases that were given, waits that have begun and events that are
  // held stay as they are. Another order needs that nobody is a member, and a stricter one that
  // CountTried() is 0; then it blocks until all that changed is on the disk. Errors: as
  // WaitQuiet().
  absl::Status SetPolicy(const QueuePolicy& policy, int64_t max_dead_letters);
  // Whether the ledger is told of its partitions may be another: for what is settled from now on.
  void TopicChanged(const Topic& topic);
  size_t members() const;
  // Outstanding events that failed or were redriven.
  int64_t CountTried() const;

  void Join(uint64_t session, QueueMemberFacts facts, Wake wake);
  // Its leases end: given back, or each a failed attempt when it did not leave `cleanly`. What is
  // read for it from the disk, and was not taken yet, is as if it had not been leased.
  void Leave(uint64_t session, bool cleanly);

  // Leases events to the member, at most so many, and gives what was read for it. Less than asked:
  // its wake comes when there may be more. Who was woken asks, for nothing when it can take
  // nothing: the next one is woken then. Partitions that stand still are named once a member.
  // Returns how much was leased, less what is not delivered after all, as it cannot be read or is
  // not the member's any more: some of it may come later.
  LeaseBounds Take(uint64_t session, LeaseBounds most, std::vector<QueueDelivery>* out,
                   std::vector<QueueProblem>* problems);
  // `done` runs once. The failures are known at once.
  std::vector<SettleFailure> Settle(uint64_t session, absl::Span<const QueueSettlement> settlements,
                                    Done done);
  GroupId group() const { return group_; }
  // Settles events of one member in one write with what else is in the step. When one of them is
  // not leased to it the failures say so, nothing is changed and `done` does not run. When one is
  // part of a step of that member that is not durable yet, it waits for what becomes of that, and
  // `done` says when it is refused then.
  std::vector<SettleFailure> SettleStep(QueueStep step);
  // What SettleStep() would refuse at once now. `in_step`: it would wait.
  std::vector<SettleFailure> CheckStep(absl::Span<const HeldRun> runs, bool* in_step) const;
  // Looks at the events of a partition up to `end`, as far as the window goes. Blocks. Not OK: what
  // comes next cannot be read.
  absl::Status ScanThrough(PartitionId partition, Offset end);
  // What a member holds from before a restart, of a generation. How many of the events stay its
  // own: none of another generation. Those that were not looked at yet cannot be settled.
  int64_t Present(uint64_t session, PartitionId partition, OffsetRun run, int64_t generation);
  int64_t Generation(PartitionId partition) const;  // Rises with every reset.

  // While it is paused nothing is leased.
  void SetPaused(bool paused);

  // What an operator decides. Durable when WaitQuiet() has returned.
  // Settles the outstanding events of a run that begins at or below the head, those too that were
  // not scanned or are missing; what stands still in it goes on behind it. Returns how many.
  int64_t Skip(PartitionId partition, OffsetRun run, const LedgerNote& note = {});
  int64_t CountOutstanding(PartitionId partition, OffsetRun run) const;
  // Offers it again; `by`: the principal who wants that. False: it is outstanding and not held, or
  // as many are parked as may be, or it is being redriven or discarded already, and its record is
  // about to go.
  bool Redrive(const LetterToRedrive& letter, const std::string& by = "");
  // The same with several, in their order, until as many are parked as may be. The row that `row`
  // makes of it, with the queue's lock, is written in the same write, and `done` runs when that is
  // durable, as of Settle(). False: `row` made none, and `done` does not run.
  bool RedriveSome(absl::Span<const LetterToRedrive> letters, const Redriver& redriver,
                   absl::FunctionRef<std::optional<RowWrite>(const RedrivenLetters&)> row,
                   Done done);
  bool IsFull() const;  // As many are parked as may be.
  // A row that is written behind all that changed so far. DISK_FULL, and written later, while the
  // disk is full.
  absl::Status PutRow(RowWrite row);
  // From now on it is counted how many of those that this redrive redrove are dead letters, or
  // held, again.
  void WatchRedrive(uint64_t redrive, int64_t died_already);
  int64_t CountDiedAgain(uint64_t redrive) const;
  void EndWatch(uint64_t redrive);
  std::vector<PartitionId> partitions() const;
  // The events of the run that are held, by offset, at most so many. O(parked).
  std::vector<StoredParked> HeldIn(PartitionId partition, OffsetRun run, size_t most) const;
  // False: it is being redriven or discarded already.
  bool Discard(PartitionId partition, Offset offset, const storage::v1::DeadLetterRecord& record,
               const LedgerNote& note = {});
  // The same in one write with a step that settles nothing, and is taken when it is true.
  bool DiscardStep(PartitionId partition, Offset offset,
                   const storage::v1::DeadLetterRecord& record, const LedgerNote& note,
                   QueueStep step);
  // So many dead letters were deleted together with their partition.
  void LettersGone(int64_t count);

  // Events of the partition below `first` are about to go from the log: copies those that are
  // outstanding or dead letters. Blocks, also on the disk, but not until a full one has room: what
  // calls may be what makes it. Not OK: they may not go. One call a partition at a time. Until
  // TrimEnded() no more of them is looked at: there would be no copy of it.
  absl::Status KeepCopies(PartitionId partition, Offset first);
  // They are gone, or stay, also because they may not go; and the extent says so.
  // Of those that are not its own nothing.
  void TrimEnded(const std::vector<PartitionId>& partitions);

  // What the disk does not give: it is asked again until then.
  struct Refused {
    Offset at;
    absl::Status status;
    int64_t until_us = 0;
  };
  // Of one partition, for people.
  struct View {
    storage::v1::PositionRecord record;
    PartitionQueue::Counts counts;
    Offset head, oldest;
    int64_t done_ahead = 0;  // As PartitionQueue::CountDoneAhead().
    int64_t room = 0;
    int64_t dead_letters = 0;  // Of the group, like the most it may have.
    int64_t max_dead_letters = 0;
    absl::Status problem;
    OffsetRun lost;  // What cannot be read, where there is a problem.
    std::optional<Refused> refused;
    bool wanted = false;         // A member has credit for more.
    int64_t moved_us = 0;        // When the group leased or settled something last; 0: never.
    int64_t grace_until_us = 0;  // As PartitionQueue says, like the end.
    Offset grace_end;
  };
  std::optional<View> Look(PartitionId partition) const;

  // Where events of a partition are, in their order, and who has them.
  struct Standing {
    EventStanding event;
    QueueMemberFacts member;
    bool unwritten = false;  // It was settled just now: a crash would have it outstanding again.
  };
  std::vector<Standing> StandingsOf(PartitionId partition, absl::Span<const Offset> offsets) const;
  // As PartitionQueue::Standstills().
  std::vector<KeyStandstill> Standstills(PartitionId partition, size_t most) const;
  // Consecutive events that expired, found at that time.
  struct Expired {
    PartitionId partition;
    OffsetRun run;
    int64_t time_us = 0;
  };
  struct ExpiredList {
    int64_t total = 0;          // Since the start.
    std::vector<Expired> runs;  // The newest of them, the last found first.
  };
  ExpiredList ListExpired() const;

  // Of the whole group, for a scrape.
  struct Place {
    PartitionId partition;
    Offset head;             // Events from here on were not looked at.
    Offset oldest;           // That is not settled.
    int64_t done_ahead = 0;  // As of View.
  };
  struct Figures {
    PartitionQueue::States states;
    int64_t dead_letters = 0;
    int64_t max_dead_letters = 0;
    QueueTally tally;
    std::array<int64_t, 5> refused{};  // Events of settlements, by SettleOutcome.
    std::vector<Place> places;
  };
  Figures Measure() const;

 private:
  struct Partition;
  struct Member;
  struct News;
  struct Pending;
  struct CopyTries;
  struct ColdRun;
  struct HeldEvent {
    PartitionId partition;
    Offset offset;
    std::optional<Failure> failure;   // Not set: it is processed.
    std::optional<RowWrite> attempt;  // That failed.
    int64_t leased_us = 0;
    std::shared_ptr<const QueueMemberFacts> member;  // Who may be gone when it is written.
  };
  struct HeldStep {
    uint64_t number = 0;  // Rises. They end in this order.
    uint64_t session = 0;
    std::shared_ptr<const QueueMemberFacts> member;  // Null: it is none.
    QueueStep step;
    std::vector<HeldEvent> events;
    std::vector<std::pair<PartitionId, Offset>> dead_letters;  // That go with it.
    bool alone = false;  // One that it was written with may be at fault.
  };
  // What is done when the lock is given back.
  struct After;

  GroupQueue(const Deps& deps, GroupId group, const QueuePolicy& policy, const QueueBudget& budget);

  int64_t NowUs() const;
  Partition* Find(PartitionId partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Something of it changed, or may be leased.
  void Touch(Partition& partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Activate(Partition& partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // `at`: where, if the status does not say what is lost.
  void StandStill(Partition& partition, const absl::Status& status, Offset at)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Stands still, unless the disk may give it later.
  void CannotRead(Partition& partition, const absl::Status& status, Offset at)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // All partitions that stood still because of what they share, when that is full no more.
  void ActivateStopped() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Forget(Partition& partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Remove(PartitionId partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // group_queue_take.cc
  int64_t ShareOf(const Member& member) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int64_t Available() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Reprice(Member* member) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Charge(Member* member, int64_t events) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Await(uint64_t session, Member* member) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AwaitNoMore(uint64_t session, Member* member) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  LeaseBounds LeaseFrom(Partition& partition, uint64_t session, LeaseBounds most,
                        std::vector<LeasedRun>* runs) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool ScanMore(Partition& partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool ScanBatches(Partition& partition, const std::vector<BatchPtr>& batches)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WaitForNews(Partition& partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ReadCold(Partition& partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnRead(PartitionId id, Offset from, const absl::StatusOr<std::vector<BatchPtr>>& read);
  void DeliverRun(Partition& partition, uint64_t session, LeasedRun run,
                  std::vector<QueueDelivery>* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The first events of a run that the same redrive redrove.
  static LeasedRun FrontOf(const Partition& partition, LeasedRun run);
  void Deliver(Partition& partition, uint64_t session, const LeasedRun& run,
               std::vector<QueueDelivery>* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // False: the batch is not in memory.
  bool Shelve(Partition& partition, Offset offset) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FetchCold(const Partition& partition, uint64_t session, const LeasedRun& run)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Blocks. Also when it is not OK: what comes before that.
  absl::Status ReadAll(const ColdRun& cold, std::vector<IndexedBatchPtr>* batches) const;
  void OnFetched(const ColdRun& cold, const absl::Status& status,
                 const std::vector<IndexedBatchPtr>& batches);
  // Of a member that goes: what never came to it is as if it had not been leased.
  void GiveBackUnsent(uint64_t session, const Member& member) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnNews(const std::vector<PartitionId>& partitions);
  void OnTimer(uint64_t number);

  SettleOutcome SettleOne(PartitionQueue& queue, uint64_t session, Offset offset,
                          const QueueSettlement& settlement, int64_t now_us)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // group_queue_admin.cc
  bool RedriveOne(Partition& partition, Offset offset, const EventFacts& facts,
                  AttemptsBefore before, const std::string& by) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool RedriveLetter(PartitionId partition, Offset offset,
                     const storage::v1::DeadLetterRecord& record, const Redriver& redriver)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool RedriveHeld(PartitionId partition, Offset offset, const Redriver& redriver)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool RedriveLocked(const LetterToRedrive& letter, const Redriver& redriver)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // False: it goes already.
  bool LetGoOfLetter(PartitionId partition, Offset offset) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A dead letter, or one that is held, that was redriven by it before; 0: by none with a name.
  void CountDied(uint64_t redrive) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void PutDiscarded(PartitionId partition, Offset offset,
                    const storage::v1::DeadLetterRecord& record, std::vector<RowWrite>* rows) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PutDiscardedEntry(PartitionId partition, Offset offset, const LedgerNote& note,
                         std::vector<RowWrite>* rows) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // It is gone, or is about to be.
  void ForgetDeadLetter(PartitionId partition, Offset offset) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // group_queue_kept.cc
  // Of the rows of a kind that are on the disk.
  absl::StatusOr<std::vector<Offset>> StoredIn(const char* kind, PartitionId partition,
                                               OffsetRun run) const;
  // Adds some of each run of those that are not settled on the disk yet.
  absl::Status AddUnsettled(PartitionId partition, OffsetRun run, std::vector<Offset>* offsets);
  absl::Status CopyBelow(PartitionId partition, Offset first);
  using Copies = std::vector<std::pair<Offset, std::string>>;
  // Of those, by offset, that have none yet. Not OK: also when the disk may give one later.
  absl::Status CopyAll(PartitionId partition, const std::vector<Offset>& offsets);
  absl::Status CopyAll(PartitionId partition, const std::vector<Offset>& offsets, CopyTries* tries);
  absl::Status PutCopies(PartitionId partition, Copies* copies, CopyTries* tries);

  // group_queue_step.cc
  // Blocks until no event of the partition, or of any, is part of a step.
  void AwaitSteps(std::optional<PartitionId> only);
  SettleOutcome HoldOne(Partition& partition, const HeldRun& run, Offset offset, HeldStep* held)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The step is taken when nothing fails.
  std::vector<SettleFailure> TryStep(QueueStep* step);
  // Events of it are in another step of its member.
  bool ComesAgain(const QueueStep& step) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TryAgain(std::vector<QueueStep> steps);
  void AddStep(HeldStep step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LetGo(const HeldStep& step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeSteps(Pending* write) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // An event that fails in a step which is not being written yet.
  bool WasSkipped(const HeldStep& step, const HeldEvent& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What the events, in the order of their offsets, are when they are settled.
  void PutSettled(const Partition& partition, absl::Span<const HeldEvent* const> events,
                  std::vector<RowWrite>* rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PutOneSettled(const Partition& partition, const HeldEvent& event,
                     std::vector<RowWrite>* rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ConfirmSteps(const Pending& write) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ConfirmOne(Partition& partition, const HeldEvent& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PutParkedAgain(const Partition& partition, Offset offset) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // `apart`: each is tried again by itself, and stays held.
  void UndoSteps(bool apart, Pending* write) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void AnswerSteps(const TransactionResult& result, Pending* write);

  // group_queue_ledger.cc
  // Of an event that is about to be acked; 0: it is not asked for.
  int64_t LeasedAt(const Partition& partition, uint64_t session, Offset offset) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteAck(Partition& partition, uint64_t session, Offset offset, int64_t leased_us)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Appends to the rows what became of events since the last time.
  void PutLedger(Partition& partition, const QueueChanges& changes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PutEntry(const Partition& partition, storage::v1::LedgerEntry entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Null: it is no member.
  const QueueMemberFacts* MemberFactsOf(uint64_t session) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Of a step, as PutSettled().
  void PutSettledLedger(const Partition& partition, absl::Span<const HeldEvent* const> events,
                        std::vector<RowWrite>* rows) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // group_queue_rows.cc
  void CollectRows() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CollectRowsOf(Partition& partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PutDeadLetters(Partition& partition, const QueueChanges& changes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteExpired(Partition& partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // They are settled by the next write.
  void NoteSettled(Partition& partition, OffsetRun run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Of those the ones that are not on the disk yet, by offset. O(their runs).
  std::vector<OffsetRun> UnwrittenOf(const Partition& partition) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  storage::v1::AttemptRecord AttemptRecordOf(const FailedAttempt& attempt) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  RowWrite AttemptRowOf(PartitionId partition, const FailedAttempt& attempt) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ForgetAttempts(Partition& partition, const PastAttempts& past)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool MayHaveCopy(PartitionId partition, Offset offset) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ForgetKept(PartitionId partition, Offset offset) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The row of that alone: what it is written with may fail.
  void PutForgottenCopy(PartitionId partition, Offset offset, std::vector<RowWrite>* rows) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DeleteAttempts(PartitionId partition, Offset offset, const std::vector<int32_t>& rounds,
                      std::vector<RowWrite>* rows) const;
  // `last`: how its last attempt failed; null: it was delivered too often.
  RowWrite DeadLetterRowOf(PartitionId partition, const DeadLetter& letter,
                           const AttemptsBefore& before, const FailedAttempt* last) const;
  RowWrite ParkedRowOf(PartitionId partition, const ParkedEvent& event,
                       const AttemptsBefore& before) const;
  void Flush();
  void TryAgain();
  // Of who waits until a full disk has room, and tries itself: the pool may be full of those that
  // wait for a lock which it holds.
  void AwaitTry() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PutBack(Pending* write) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Write(Pending write);
  void OnWritten(const TransactionResult& result, Pending write);

  // Of the lock: fills what is to be done after it.
  After MakeAfter() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Run(After after);
  void StartTimer(absl::Duration delay, uint64_t number);

  const Deps deps_;
  const GroupId group_;
  std::shared_ptr<News> news_;

  mutable Mutex mu_;
  CondVar quiet_;
  QueuePolicy policy_ ABSL_GUARDED_BY(mu_);
  QueueBudget budget_ ABSL_GUARDED_BY(mu_);
  uint64_t seed_ ABSL_GUARDED_BY(mu_);
  bool paused_ ABSL_GUARDED_BY(mu_) = false;
  bool parked_full_ ABSL_GUARDED_BY(mu_) = false;   // When it was looked at last.
  bool letters_full_ ABSL_GUARDED_BY(mu_) = false;  // The same.
  absl::btree_map<PartitionId, std::unique_ptr<Partition>> partitions_ ABSL_GUARDED_BY(mu_);
  std::deque<PartitionId> active_ ABSL_GUARDED_BY(mu_);  // That may have something to lease.
  absl::btree_set<std::pair<int64_t, PartitionId>> due_ ABSL_GUARDED_BY(mu_);
  absl::btree_map<uint64_t, std::unique_ptr<Member>> members_ ABSL_GUARDED_BY(mu_);
  // Members that wait or were woken, by what they got: after start-time fair queueing (Goyal, Vin,
  // Cheng 1996), where the weight of a member is its free credit; what it is ahead or behind is
  // kept in events when that changes.
  absl::btree_set<std::pair<double, uint64_t>> waiting_ ABSL_GUARDED_BY(mu_);
  double turn_ ABSL_GUARDED_BY(mu_) = 0;             // The most that somebody had got who came.
  int64_t moved_us_ ABSL_GUARDED_BY(mu_) = 0;        // As View::moved_us.
  int64_t armed_us_ ABSL_GUARDED_BY(mu_);            // When the timer comes.
  uint64_t timer_ ABSL_GUARDED_BY(mu_) = 0;          // The one that counts, those before do not.
  uint64_t running_timer_ ABSL_GUARDED_BY(mu_) = 0;  // Its number with the Timer.
  absl::btree_set<PartitionId> still_ ABSL_GUARDED_BY(mu_);  // That stand still.

  // Of redrives that are watched: how many that they redrove are dead letters, or held, again.
  absl::flat_hash_map<uint64_t, int64_t> died_ ABSL_GUARDED_BY(mu_);
  absl::btree_set<PartitionId> dirty_ ABSL_GUARDED_BY(mu_);
  // Of the next write.
  std::vector<RowWrite> rows_ ABSL_GUARDED_BY(mu_);
  // Dead letters whose rows go, until that is durable; and those that no write has yet.
  absl::flat_hash_set<std::pair<PartitionId, Offset>> going_ ABSL_GUARDED_BY(mu_);
  std::vector<std::pair<PartitionId, Offset>> going_next_ ABSL_GUARDED_BY(mu_);
  std::vector<Done> answers_ ABSL_GUARDED_BY(mu_);
  std::deque<HeldStep> steps_ ABSL_GUARDED_BY(mu_);
  std::vector<QueueStep> behind_ ABSL_GUARDED_BY(mu_);  // They come again when a write has ended.
  uint64_t last_step_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t ended_step_ ABSL_GUARDED_BY(mu_) = 0;  // It and all before it are written, or failed.
  absl::btree_map<PartitionId, std::vector<KeyTurn>> turns_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  // Writes, without those that were refused.
  uint64_t begun_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t written_ ABSL_GUARDED_BY(mu_) = 0;
  bool trying_again_ ABSL_GUARDED_BY(mu_) = false;  // The disk is full: soon.
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;      // The broker is.
  absl::Status stopped_ ABSL_GUARDED_BY(mu_);       // Not OK: nothing can be written any more.
  std::array<int64_t, 5> refused_ ABSL_GUARDED_BY(mu_){};  // Events, by SettleOutcome.
  std::deque<Expired> expired_ ABSL_GUARDED_BY(mu_);       // The oldest first.
};

// The copy of an event that a group kept. Blocks. Errors: GAP when there is none, DATA_CORRUPTED.
absl::StatusOr<IndexedBatchPtr> LoadKeptEvent(const LogEngine& engine, GroupId group,
                                              PartitionId partition, Offset offset);
// The batch with the event: from the log, or the copy when that has it no more. The same.
absl::StatusOr<BatchPtr> LoadBatchOf(const LogEngine& engine, GroupId group, PartitionId partition,
                                     Offset offset);
absl::StatusOr<IndexedBatchPtr> LoadEvent(const LogEngine& engine, GroupId group,
                                          PartitionId partition, Offset offset);

}  // namespace acta
