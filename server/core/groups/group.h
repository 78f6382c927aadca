#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "acta/storage/v1/records.pb.h"
#include "server/core/groups/assignment.h"
#include "server/core/groups/group_registry.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"

namespace acta {

// Group is one group at work: its members, who owns what, and the committed positions.
//
// Threads:   any. Listeners are called on the pool only, rows are submitted on the caller's thread
//            or the pool; both in order and outside of the lock.
// Ownership: shared with its memberships. What changes the record or positions from outside holds
//            the registry's write lock.
class Group : public StepGroup, public std::enable_shared_from_this<Group> {
 public:
  struct Deps {
    LogEngine& engine;
    const Clock& clock;
    Executor& pool;
    Timer& timer;
    GroupLimits limits;
    std::shared_ptr<std::atomic<uint64_t>> next_handle;
    std::shared_ptr<ShelfBudget> shelves;
    const TopicRegistry* topics = nullptr;  // Of what is kept in the ledger; null: nothing.
    // The group's next deadline, since boot, may have come nearer; called without a lock.
    absl::AnyInvocable<void(GroupId, absl::Duration) const> on_deadline;
  };
  struct NewPartition {
    TopicPtr topic;
    int32_t number = 0;
    storage::v1::PositionRecord position;
    std::vector<StoredParked> parked;  // Of a QUEUE group.
    bool restarted = false;            // It was there before this life of the broker.
    PartitionId id() const { return topic->partition(number); }
  };
  struct PositionView {
    TopicPtr topic;
    int32_t number = 0;
    storage::v1::PositionRecord position;
    std::string member_id;  // Whose it is; empty: nobody's.
    PartitionId id() const { return topic->partition(number); }
  };

  // `dead_letters`: how many the group has, when it is a QUEUE group.
  Group(Deps deps, storage::v1::GroupRecord record, int64_t dead_letters);

  GroupId id() const override { return id_; }
  const std::string& tenant() const { return tenant_; }
  const std::string& name() const { return name_; }
  storage::v1::GroupRecord record() const;
  v1::Group Describe() const;  // With members.
  // Of a QUEUE group: O(window + parked) of each partition.
  std::vector<PositionView> Positions() const;
  // Of a QUEUE group they are as it got the partitions: its queue knows what came since.
  std::vector<PositionView> StreamPositions() const;
  size_t connected() const;
  bool ReadsTopic(TopicId topic) const;
  // Null: the group does not read the partition.
  TopicPtr TopicOf(PartitionId partition) const;
  // Of a STREAM group: the committed offset. nullopt: it does not read the partition.
  std::optional<int64_t> CommittedOf(PartitionId partition) const;
  // nullopt: the group does not read it.
  std::optional<PartitionId> FindPartition(absl::string_view topic, int32_t partition) const;
  GroupQueue* queue() const override { return queue_.get(); }
  absl::Status SettleStep(QueueStep step) override;
  absl::Status CheckStep(absl::Span<const HeldRun> runs) const override;

  // Errors: LIMIT_EXCEEDED.
  absl::StatusOr<std::shared_ptr<Membership>> Join(const Caller& caller, const JoinRequest& request,
                                                   const std::string& member_id, bool created,
                                                   std::shared_ptr<MemberListener> listener);
  void Tick();
  // Ends every member and drops every place. What may be tried again is so later by one than by
  // another, here and below.
  void EndAll(const absl::Status& status);
  // Ends the members that hold one of these, and no others; a queue has no holders: all. Nobody
  // gets one of them until GiveOut(). A named member's place is kept as when its stream breaks.
  void EndHolders(const std::vector<PartitionId>& partitions, const absl::Status& status);
  void GiveOut(const std::vector<PartitionId>& partitions);
  // Blocks until the rows of the group that are on their way now are on the disk, whatever comes
  // after them. `patient` and errors: as GroupQueue::WaitQuiet().
  absl::Status WaitQuiet(bool patient = true);

  // Members are told when it says that the group is paused, or is not any more.
  void SetRecord(storage::v1::GroupRecord record);
  void AddPartitions(const std::vector<NewPartition>& added);
  // Takes them from their members, waits until their commits are on the disk, and answers them as
  // they were last. Blocks, but not for what members of other partitions commit meanwhile.
  // `patient` and errors, with which they stay: as GroupQueue::WaitQuiet().
  absl::StatusOr<std::vector<NewPartition>> TakePartitions(const std::vector<PartitionId>& removed,
                                                           bool patient = true);
  void UpdateTopic(const TopicPtr& topic);
  // Of a STREAM group: what became durable from outside, while nobody is connected.
  void SetPosition(PartitionId partition, const storage::v1::PositionRecord& position);

 private:
  friend class GroupMembership;
  using Action = absl::AnyInvocable<void()>;
  struct ActionQueue {
    std::deque<Action> actions;
    bool draining = false;
  };
  enum Queue { kRows = 0, kCalls = 1 };

  struct Session {
    uint64_t number = 0;
    std::string member_id;
    std::shared_ptr<MemberListener> listener;
    std::atomic<bool> gone{false};          // Hears nothing any more.
    absl::flat_hash_set<uint64_t> handles;  // Guarded by the group's lock.
  };
  using SessionPtr = std::shared_ptr<Session>;
  // A step, or a commit behind one. It stands in each of its positions from when it comes until it
  // has been tried, and is tried when it is the first in all of them: so none overtakes another,
  // and no two wait for each other. Guarded by the group's lock, but for `again`.
  struct Waiter {
    std::vector<PartitionId> partitions;
    bool is_step = false;  // Goes on when nothing is in flight; a commit, when no step is.
    bool called = false;
    Action again;
  };
  using WaiterPtr = std::shared_ptr<Waiter>;
  struct Position {
    TopicPtr topic;
    int32_t number = 0;
    storage::v1::PositionRecord committed;  // Durable, but for its generation.
    int64_t submitted = 0;                  // The highest offset on its way to the disk.
    int in_flight = 0;
    int64_t step_end = 0;  // Of the step that is in flight, alone; 0: there is none.
    bool assigned_in_step = false;
    std::deque<WaiterPtr> waiting;  // In the order in which they came.
    uint64_t releasing = 0;         // A session that gave it back, once its commits are done.
    uint64_t handle = 0;            // Of the holder; 0: none.
  };
  struct Handle {
    PartitionId partition;
    SessionPtr session;
    bool released = false;  // It is there for what waits and for steps, not for new commits.
  };

  // When no row up to this number is on its way.
  std::vector<NewPartition> TakePositions(
      const std::vector<PartitionId>& removed, uint64_t last_row,
      absl::flat_hash_map<PartitionId, GroupQueue::Start> queued);
  // `waited`: behind a step, and is tried again.
  void Commit(const SessionPtr& session, uint64_t handle, Offset offset,
              Membership::CommitDone done, bool waited = false);
  // The partition of the handle; nullopt: the session has it no more.
  std::optional<PartitionId> HeldBy(const SessionPtr& session, uint64_t handle, bool waited) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // None is in flight any more.
  void CommitsEnded(PartitionId partition, Position& position, absl::Duration now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Wait(std::vector<PartitionId> partitions, bool is_step, Action again)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool MayGoOn(const Waiter& waiter) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Call(const WaiterPtr& waiter) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // It is in flight now, or failed.
  void Tried(const WaiterPtr& waiter);
  // The first one that waits, if it may, else who is to have the position.
  void GoOn(PartitionId partition, Position& position, absl::Duration now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Gives back what its session released, when nothing of that is to be written any more.
  void ReleaseWhenDone(PartitionId partition, Position& position, absl::Duration now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // group_step.cc
  // What a step commits of one partition.
  struct StepCommit {
    uint64_t handle = 0;
    Offset first;
    Offset end;
  };
  using StepCommits = absl::btree_map<PartitionId, StepCommit>;
  static StepCommits CommitsOf(absl::Span<const HeldRun> runs);
  // Not OK: it did not begin.
  absl::Status BeginStep(const std::shared_ptr<QueueStep>& step);
  // Its positions are free.
  void BeginStepAgain(const std::shared_ptr<QueueStep>& step);
  // `waited`: as of Commit().
  absl::Status TakeStep(const StepCommits& commits, const std::shared_ptr<QueueStep>& step,
                        bool waited) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckCommits(const StepCommits& commits) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // True: it is tried again when they are free.
  bool WaitForPositions(const StepCommits& commits, const std::shared_ptr<QueueStep>& step)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void QueueStepRows(const StepCommits& commits, std::shared_ptr<QueueStep> step)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // `number`: that of its write.
  void StepEnded(const StepCommits& commits, int64_t time_us, uint64_t number,
                 const TransactionResult& result);

  absl::Status Released(const SessionPtr& session, uint64_t handle);
  void Leave(const SessionPtr& session);
  void Break(const SessionPtr& session);

  void Apply(AssignmentDecisions decisions, absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Assign(const AssignmentDecision& decision, std::vector<RowWrite>* rows)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // `number`: as of QueueWrite().
  void QueueGenerations(std::vector<RowWrite> rows, uint64_t number = 0)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Of a queue: what it holds is given back when it ends `cleanly`, else each is a failed attempt.
  void EndSession(const SessionPtr& session, const absl::Status& status, bool cleanly)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellPaused(const SessionPtr& session, bool paused) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint64_t NewHandle() const { return deps_.next_handle->fetch_add(1); }
  void DropHandle(uint64_t handle) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The member that holds it, or whose kept place it waits for; empty: nobody.
  std::string OwnerOf(PartitionId partition) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ForgetMembers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  RowWrite MakeRow(const Position& position, int64_t offset, int64_t commit_time_us) const;
  // Appends to the rows that the member passed what is between the two.
  void PutPassed(const Position& position, const Session& member, int64_t from, int64_t to,
                 int64_t time_us, std::vector<RowWrite>* rows) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Queues the rows; `done` runs on the sync thread or the one that submits.
  void QueueRows(std::vector<RowWrite> rows, Level level,
                 absl::AnyInvocable<void(const TransactionResult&)> done, uint64_t number = 0)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The same with all that is in it; its `done` is put there. `number`: of the write that this one
  // is the rest of, so that who waits for that waits for both; 0: it gets the next one.
  void QueueWrite(Transaction transaction, absl::AnyInvocable<void(const TransactionResult&)> done,
                  uint64_t number = 0) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RowsDone(uint64_t number);
  // Until no row up to this number is on its way.
  void WaitForRows(uint64_t last) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Takes `done` and queues the row of a position that goes up.
  void QueueCommit(const SessionPtr& session, PartitionId partition, uint64_t handle, Offset offset,
                   int64_t time_us, Membership::CommitDone& done)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What to answer: FENCED when another owner came while the row was on its way.
  absl::Status Committed(PartitionId partition, uint64_t handle, int64_t offset, int64_t time_us,
                         const TransactionResult& result);
  absl::Status FencedHandle(uint64_t handle) const;

  // Runs what is queued now; what comes meanwhile is for the pool, so that nobody is kept by the
  // work of others.
  void Drain(Queue queue);
  // Runs what was queued: rows now, calls on the pool. `here` false: all of it on the pool.
  void Flush(bool here = true);

  const Deps deps_;
  const GroupId id_;
  const std::string tenant_;
  const std::string name_;
  const std::shared_ptr<GroupQueue> queue_;  // Called without the lock.

  mutable Mutex mu_;  // Leaf.
  CondVar quiet_;
  storage::v1::GroupRecord record_ ABSL_GUARDED_BY(mu_);
  Assignment assignment_ ABSL_GUARDED_BY(mu_);
  absl::btree_map<PartitionId, Position> positions_ ABSL_GUARDED_BY(mu_);
  uint64_t last_session_ ABSL_GUARDED_BY(mu_) = 0;
  absl::btree_map<uint64_t, SessionPtr> sessions_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, v1::GroupMember> members_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<uint64_t, Handle> handles_ ABSL_GUARDED_BY(mu_);
  ActionQueue queues_[2] ABSL_GUARDED_BY(mu_);
  uint64_t last_row_ ABSL_GUARDED_BY(mu_) = 0;
  // Those on their way to the disk, numbered as they were queued; the rest of one has its number.
  absl::btree_multiset<uint64_t> rows_queued_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
