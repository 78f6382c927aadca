#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/functional/function_ref.h"
#include "server/core/groups/group.h"
#include "server/core/groups/group_registry.h"
#include "server/core/groups/stored_letter.h"
#include "storage/base/mutex.h"
#include "storage/layout/engine_rows.h"

namespace acta {

using GroupPtr = std::shared_ptr<Group>;

// Where a start position falls in a partition now. A time in the future is the visible end; not
// set is the visible end too. Blocks. Errors: OFFSET_OUT_OF_RANGE.
absl::StatusOr<Offset> ResolveStart(const LogEngine& engine, const Topic& topic, int32_t partition,
                                    const v1::StartPosition& start);
// OFFSET_OUT_OF_RANGE unless `offset` lies between the first offset and the visible end.
absl::Status CheckOffsetInRange(const LogEngine& engine, const Topic& topic, int32_t partition,
                                int64_t offset);

// Events of a queue that were not looked at yet.
inline int64_t NotScanned(const GroupQueue::View& queue, Offset end) {
  return std::max<int64_t>(0, Lag(queue.head, end) - queue.done_ahead);
}
// Those that are not settled, these as well.
inline int64_t OutstandingOf(const GroupQueue::View& queue, Offset visible_end) {
  const PartitionQueue::Counts& counts = queue.counts;
  return counts.ready + counts.leased + counts.retry_wait + counts.blocked_by_key + counts.held +
         NotScanned(queue, visible_end);
}

// What does not depend on the group. How often a letter may have been redriven already. Errors:
// INVALID_ARGUMENT, LIMIT_EXCEEDED.
absl::StatusOr<int64_t> CheckRedrive(const v1::RedriveDeadLettersRequest& request);

// What the parts of GroupRegistry share: the map of groups, the write lock, the one timer.
class GroupRegistry::State : public std::enable_shared_from_this<GroupRegistry::State> {
 public:
  explicit State(const Deps& deps)
      : deps(deps), next_handle(std::make_shared<std::atomic<uint64_t>>(1)) {}

  // Whose events' outcomes are kept; null: the broker keeps no ledger.
  const TopicRegistry* ledger_topics() const {
    return deps.engine.Extent(kLedgerPartition).ok() ? &deps.topics : nullptr;
  }
  GroupPtr Find(absl::string_view tenant, absl::string_view name) const;
  GroupPtr FindById(GroupId group) const;
  // Errors: TENANT_NOT_FOUND, GROUP_NOT_FOUND.
  absl::StatusOr<GroupPtr> Get(const Caller& caller, absl::string_view tenant,
                               absl::string_view name) const;
  // Errors: as Get(); WRONG_GROUP_MODE.
  absl::StatusOr<GroupPtr> GetQueue(const Caller& caller, absl::string_view tenant,
                                    absl::string_view name) const;
  std::vector<GroupPtr> All() const;  // By tenant and name.
  // Those of mode QUEUE. O(1), but after groups came or went.
  std::shared_ptr<const std::vector<GroupPtr>> Queues() const;
  int64_t count() const;

  absl::Status Load();
  absl::StatusOr<GroupPtr> Create(const Caller& caller, v1::Group group,
                                  const v1::StartPosition& start)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu);
  // What nobody finds any more and Forget() has still to delete: of a group that is gone, or of one
  // about a topic that it reads no more.
  struct Gone {
    GroupId group;
    std::optional<TopicId> topic;
  };
  // These add what is gone then.
  absl::Status Update(const Caller& caller, Group& group, const v1::UpdateGroupRequest& request,
                      std::vector<Gone>* gone) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu);
  absl::Status Delete(const GroupPtr& group, std::vector<Gone>* gone)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu);
  absl::Status DropTopic(Group& group, TopicId topic, std::vector<Gone>* gone)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu);
  // Nothing else of the group may write meanwhile. What a QUEUE group keeps is for Forget().
  // Blocks.
  absl::Status WriteDeletion(const Group& group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu);
  void GrowTopic(Group& group, const TopicPtr& topic) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu);

  // Not set: resumes it. Nothing happens when it is so already.
  absl::Status SetPause(Group& group, std::optional<v1::GroupPause> pause)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu);
  // Discards dead letters whose retention is over, again and again: of each group at its own time.
  void BeginSweeps(GroupId group);
  // None of its dead letters is older than `oldest_us`.
  void SweepLater(GroupId group, absl::Duration wait, int64_t oldest_us);
  // Answers the same of those that stay, and of those to come.
  int64_t Sweep(const Group& group, int64_t oldest_us) ABSL_LOCKS_EXCLUDED(write_mu);
  // Of a group, the newest first. Blocks. Errors: DATA_CORRUPTED.
  absl::StatusOr<std::vector<std::pair<uint64_t, storage::v1::RedriveRecord>>> LoadRedrives(
      const Group& group) const;
  absl::StatusOr<std::optional<storage::v1::RedriveRecord>> LoadRedrive(GroupId group,
                                                                        uint64_t id) const;
  // Those that ran when the broker ended go on. Blocks.
  void ResumeRedrives(const Group& group);
  void RedriveLater(GroupId group, uint64_t id, absl::Duration delay);
  // Takes it on by what is due at once, and again when that is durable. Reads, and does not wait
  // for writes: a full disk must not stop the others.
  void RedriveMore(GroupId group, uint64_t id);
  // Redrives that run: as they are, or are about to be, in their rows.
  std::optional<storage::v1::RedriveRecord> Running(GroupId group, uint64_t id) const;
  std::optional<std::string> RunningRedriveOf(GroupId group) const;
  void SetRunning(GroupId group, uint64_t id, const storage::v1::RedriveRecord& record);
  void EndRunning(uint64_t id);
  // Of a redrive: how many dead letters it would take, and how many were redriven too often.
  // Blocks. Errors: REORDER_NOT_ACCEPTED, SERVER_STOPPING.
  absl::Status CountRedrives(const Caller& caller, const Group& group,
                             const v1::RedriveDeadLettersRequest& request, int64_t most_redrives,
                             int64_t* could, int64_t* too_often) const;
  // Of the letters that could be, as counted. Adds to what the response has of redriven and left.
  // Blocks until they are on the disk. Errors: SERVER_STOPPING, when nothing was redriven before.
  absl::Status RedriveSelected(const Caller& caller, const Group& group,
                               const v1::RedriveDeadLettersRequest& request, int64_t most_redrives,
                               int64_t could, v1::RedriveDeadLettersResponse* response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu);
  // Those selected (null: all) that are `wanted`, each asked once. How many; they are gone when it
  // returns. Blocks, as GroupQueue::WaitQuiet(). Errors: SERVER_STOPPING, saying how many are gone.
  absl::StatusOr<int64_t> DiscardLetters(
      const Group& group, const v1::DeadLetterSelection* selection, const LedgerNote& note,
      absl::FunctionRef<bool(const StoredLetter&)> wanted, bool patient = true,
      const std::atomic<bool>* stopping = nullptr) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu);
  // Moves the position of a STREAM group from the offset, where it has to be, over so many events.
  // Who holds it is ended, and joins again there. Errors: OFFSET_OUT_OF_RANGE, CONCURRENT_CHANGE.
  absl::Status SkipOfStream(const Caller& caller, Group& group, const Group::PositionView& view,
                            const v1::SkipOffsetsRequest& request, int32_t count)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu);
  // Resumes a paused group when its time has come. One timer a group: it takes the place of the one
  // before.
  void ResumeLater(const Group& group, absl::Duration least = absl::Milliseconds(1))
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu);
  void CancelResume(GroupId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu);
  void ResumeInTime(GroupId id);

  absl::Status AllowTopic(const Caller& caller, Verb verb, absl::string_view topic) const;
  // For every topic the group reads, or the one that is named.
  absl::Status AllowTopicsOf(const Caller& caller, Verb verb, const Group& group,
                             absl::string_view topic) const;

  // Writes that the partitions, as they stood, begin anew at their targets; then they are as they
  // stand there. Nothing else of the group may write their rows meanwhile: of a QUEUE group they
  // are `taken`. Blocks.
  absl::Status WriteReset(const Group& group, const absl::btree_map<PartitionId, int64_t>& targets,
                          const LedgerNote& note, const std::vector<Group::NewPartition>& taken,
                          std::vector<Group::PositionView>* moved)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu);

  // How the rows of a kind begin that are meant.
  using Which = absl::FunctionRef<std::string(absl::string_view kind)>;
  // The rows of a QUEUE group that a reset deletes; dead letters stay, with their attempts and
  // copies. Blocks. Errors: those of `visit`, which end it.
  absl::Status VisitForgotten(Which which,
                              absl::FunctionRef<absl::Status(absl::string_view key)> visit) const;
  // Before anything is done: what members add until it is written is not counted. Blocks. Errors:
  // LIMIT_EXCEEDED.
  absl::Status CheckReset(const Group& group,
                          const absl::btree_map<PartitionId, int64_t>& targets) const;
  // The dead letters of these topics; 0 of a STREAM group. Blocks.
  absl::StatusOr<int64_t> CountLetters(const Group& group,
                                       const absl::btree_set<TopicId>& topics) const;
  // Adds the deletion of positions. Blocks.
  absl::Status ForgetPositions(Which which, std::vector<RowWrite>* rows) const;
  // Deletes the rows of a group that is gone, or those of a group about a topic that it reads no
  // more, in several writes, the positions last. Not OK: some are left, and go later, or by Load().
  // Blocks.
  absl::Status Forget(const Gone& gone) ABSL_LOCKS_EXCLUDED(write_mu);
  void ForgetAll(const std::vector<Gone>& gone) ABSL_LOCKS_EXCLUDED(write_mu);
  void ForgetLater(const Gone& gone);
  // All or nothing, FSYNC. Blocks.
  absl::Status Write(std::vector<RowWrite> rows);
  // DISK_FULL while no write is taken. For changes that are written by queues, which wait for room:
  // begun with the lock that everybody joins with, they would keep it for as long.
  absl::Status CheckRoom() const;
  void OnDeadline(GroupId group, absl::Duration deadline);

  const Deps deps;
  const DeliveryTokens tokens{deps.engine.incarnation()};
  Mutex measure_mu;  // Held over one Measure(); takes the locks of groups and of queues.
  const std::shared_ptr<LagMeter> lag_meter ABSL_GUARDED_BY(measure_mu) =
      std::make_shared<LagMeter>(deps.engine, deps.pool);
  // One change at a time; held over the disk write. Taken before every other lock here.
  Mutex write_mu;
  const std::shared_ptr<std::atomic<uint64_t>> next_handle;
  const std::shared_ptr<ShelfBudget> shelves = std::make_shared<ShelfBudget>();

 private:
  absl::StatusOr<std::vector<TopicPtr>> FindTopics(const Caller& caller,
                                                   const v1::Group& group) const;
  absl::StatusOr<std::vector<Group::NewPartition>> StartPositions(
      const std::vector<TopicPtr>& topics, const v1::StartPosition& start) const;
  GroupPtr Make(const storage::v1::GroupRecord& record, int64_t dead_letters);
  // Errors: DATA_CORRUPTED.
  absl::StatusOr<absl::flat_hash_map<PartitionId, std::vector<StoredParked>>> LoadParked(
      GroupId group) const;
  absl::Status Restore(const storage::v1::GroupRecord& record,
                       const absl::btree_map<std::string, std::string>& positions,
                       std::vector<Gone>* gone) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu);
  absl::Status LoadGroups(std::vector<Gone>* gone) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu);
  absl::Status SetTopics(Group& group, const std::vector<TopicPtr>& topics,
                         storage::v1::GroupRecord record, std::vector<Gone>* gone)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu);
  absl::Status ForgetRows(Which which,
                          absl::FunctionRef<absl::Status(std::vector<RowWrite>)> write) const;
  // Instead of the timer that waits for longer.
  void Arm(absl::Duration deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(timer_mu_);
  void OnTimer(uint64_t arming);

  uint64_t next_group_id_ ABSL_GUARDED_BY(write_mu) = 1;
  // The timer's numbers, of groups whose pause has an end.
  absl::flat_hash_map<GroupId, uint64_t> resume_timers_ ABSL_GUARDED_BY(write_mu);

  mutable Mutex map_mu_;  // Leaf.
  absl::btree_map<std::pair<std::string, std::string>, GroupPtr> groups_ ABSL_GUARDED_BY(map_mu_);
  absl::flat_hash_map<GroupId, GroupPtr> by_id_ ABSL_GUARDED_BY(map_mu_);
  // Null: to be listed anew.
  mutable std::shared_ptr<const std::vector<GroupPtr>> queues_ ABSL_GUARDED_BY(map_mu_);

  mutable Mutex redrives_mu_;  // Leaf.
  absl::flat_hash_map<uint64_t, std::pair<GroupId, storage::v1::RedriveRecord>> running_
      ABSL_GUARDED_BY(redrives_mu_);

  Mutex timer_mu_;  // Leaf, but for the timer's own. Deadlines are since boot.
  absl::flat_hash_map<GroupId, absl::Duration> deadlines_ ABSL_GUARDED_BY(timer_mu_);
  absl::Duration armed_ ABSL_GUARDED_BY(timer_mu_) = absl::InfiniteDuration();
  uint64_t arming_ ABSL_GUARDED_BY(timer_mu_) = 0;  // Rises: a timer of an older one does nothing.
  uint64_t timer_ ABSL_GUARDED_BY(timer_mu_) = 0;   // Its number.
};

}  // namespace acta
