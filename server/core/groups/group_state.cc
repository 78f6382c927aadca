#include "server/core/groups/group_state.h"

#include <algorithm>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "server/core/groups/group_text.h"
#include "storage/base/bytes.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"
#include "storage/submit_and_wait.h"
#include "storage/visit_rows.h"

namespace acta {
namespace {

using Rows = absl::btree_map<std::string, std::string>;

absl::Status Corrupted(absl::string_view what) {
  return Error(v1::DATA_CORRUPTED, absl::StrCat("the ", what, " cannot be read"));
}

// Whose positions the group has.
absl::btree_set<TopicId> TopicsOf(GroupId group, const Rows& positions) {
  absl::btree_set<TopicId> topics;
  const std::string prefix = QueueRows(kPositionRows, group);
  for (auto row = positions.lower_bound(prefix);
       row != positions.end() && absl::StartsWith(row->first, prefix); ++row) {
    if (row->first.size() != prefix.size() + 8) continue;
    topics.insert(PartitionId(GetBig64(row->first.data() + prefix.size())).topic());
  }
  return topics;
}

absl::Status ResetTooLarge(int64_t most) {
  return LimitError{v1::LIMIT_EXCEEDED,
                    "the reset would delete rows of attempts and the like, at least:",
                    static_cast<uint64_t>(most + 1),
                    "max_reset_rows",
                    static_cast<uint64_t>(most),
                    "name fewer partitions at once (`to_offsets`)"}
      .Make();
}

// Those that have positions.
absl::btree_set<GroupId> GroupsOf(const Rows& positions) {
  constexpr size_t kKind = sizeof(kPositionRows) - 1;
  absl::btree_set<GroupId> groups;
  for (const auto& [key, value] : positions) {
    if (key.size() == kKind + 16) groups.insert(GroupId(GetBig64(key.data() + kKind)));
  }
  return groups;
}

}  // namespace

GroupPtr GroupRegistry::State::Find(absl::string_view tenant, absl::string_view name) const {
  MutexLock lock(map_mu_);
  const auto it = groups_.find({std::string(tenant), std::string(name)});
  return it == groups_.end() ? nullptr : it->second;
}

absl::StatusOr<GroupPtr> GroupRegistry::State::Get(const Caller& caller, absl::string_view tenant,
                                                   absl::string_view name) const {
  RETURN_IF_ERROR(CheckTenant(caller, tenant));
  GroupPtr group = Find(caller.tenant, name);
  if (group == nullptr) return GroupNotFound(name);
  return group;
}

absl::StatusOr<GroupPtr> GroupRegistry::State::GetQueue(const Caller& caller,
                                                        absl::string_view tenant,
                                                        absl::string_view name) const {
  ASSIGN_OR_RETURN(GroupPtr group, Get(caller, tenant, name));
  if (group->queue() == nullptr) return NotAQueue(group->name());
  return group;
}

std::vector<GroupPtr> GroupRegistry::State::All() const {
  MutexLock lock(map_mu_);
  std::vector<GroupPtr> all;
  all.reserve(groups_.size());
  for (const auto& [key, group] : groups_) all.push_back(group);
  return all;
}

std::shared_ptr<const std::vector<GroupPtr>> GroupRegistry::State::Queues() const {
  MutexLock lock(map_mu_);
  if (queues_ == nullptr) {
    std::vector<GroupPtr> queues;
    for (const auto& [key, group] : groups_) {
      if (group->queue() != nullptr) queues.push_back(group);
    }
    queues_ = std::make_shared<const std::vector<GroupPtr>>(std::move(queues));
  }
  return queues_;
}

int64_t GroupRegistry::State::count() const {
  MutexLock lock(map_mu_);
  return static_cast<int64_t>(groups_.size());
}

absl::Status GroupRegistry::State::AllowTopic(const Caller& caller, Verb verb,
                                              absl::string_view topic) const {
  return deps.authorizer.Authorize(caller, verb, {ResourceKind::kTopic, topic});
}

absl::Status GroupRegistry::State::AllowTopicsOf(const Caller& caller, Verb verb,
                                                 const Group& group,
                                                 absl::string_view topic) const {
  if (!topic.empty()) return AllowTopic(caller, verb, topic);
  const storage::v1::GroupRecord record = group.record();
  for (const std::string& name : record.group().topics()) {
    RETURN_IF_ERROR(AllowTopic(caller, verb, name));
  }
  return absl::OkStatus();
}

absl::Status GroupRegistry::State::Write(std::vector<RowWrite> rows) {
  Transaction transaction;
  transaction.rows = std::move(rows);
  transaction.atomic = true;
  transaction.level = Level::kFsync;
  return SubmitAndWait(deps.engine, std::move(transaction)).status;
}

absl::Status GroupRegistry::State::CheckRoom() const {
  if (deps.engine.disk_state() != DiskState::kHard) return absl::OkStatus();
  return Error(v1::DISK_FULL, "the disk is full: free some, and try again");
}

GroupPtr GroupRegistry::State::Make(const storage::v1::GroupRecord& record, int64_t dead_letters) {
  Group::Deps group_deps{deps.engine,
                         deps.clock,
                         deps.pool,
                         deps.timer,
                         deps.limits,
                         next_handle,
                         shelves,
                         ledger_topics(),
                         [state = weak_from_this()](GroupId group, absl::Duration deadline) {
                           if (const auto self = state.lock()) self->OnDeadline(group, deadline);
                         }};
  auto group = std::make_shared<Group>(std::move(group_deps), record, dead_letters);
  {
    MutexLock lock(map_mu_);
    groups_[{group->tenant(), group->name()}] = group;
    by_id_[group->id()] = group;
    queues_ = nullptr;
  }
  if (group->queue() != nullptr) BeginSweeps(group->id());
  return group;
}

GroupPtr GroupRegistry::State::FindById(GroupId group) const {
  MutexLock lock(map_mu_);
  const auto it = by_id_.find(group);
  return it == by_id_.end() ? nullptr : it->second;
}

absl::Status GroupRegistry::State::Load() {
  std::vector<Gone> gone;
  {
    MutexLock lock(write_mu);
    RETURN_IF_ERROR(LoadGroups(&gone));
  }
  for (const Gone& one : gone) {
    const absl::Status forgotten = Forget(one);
    if (forgotten.ok()) continue;
    // A disk that is full keeps nobody from starting: it is done once there is room.
    if (ReasonOf(forgotten) != v1::DISK_FULL) return forgotten;
    LogWarn("rows of a group or topic that is gone stay for now",
            {{"group_id", one.group.value()}});
  }
  // All of that may take longer than the grace, and no member could come meanwhile.
  for (const GroupPtr& group : *Queues()) group->queue()->BeginGrace();
  return absl::OkStatus();
}

absl::Status GroupRegistry::State::LoadGroups(std::vector<Gone>* gone) {
  ASSIGN_OR_RETURN(const auto next, deps.engine.LoadRows(Family::kMeta, kNextGroupIdRow));
  for (const auto& [key, value] : next) {
    if (key != kNextGroupIdRow) continue;
    if (value.size() != 8) return Corrupted("counter of group ids");
    next_group_id_ = GetLittle<uint64_t>(value.data());
  }
  ASSIGN_OR_RETURN(const auto records, deps.engine.LoadRows(Family::kMeta, kGroupRows));
  std::vector<storage::v1::GroupRecord> groups;
  for (const auto& [key, value] : records) {
    if (!groups.emplace_back().ParseFromString(value)) return Corrupted("record of a group");
    next_group_id_ = std::max(next_group_id_, groups.back().group_id() + 1);
  }
  ASSIGN_OR_RETURN(auto stored, deps.engine.LoadRows(Family::kState, kPositionRows));
  const Rows positions(std::make_move_iterator(stored.begin()),
                       std::make_move_iterator(stored.end()));
  for (const storage::v1::GroupRecord& record : groups) {
    RETURN_IF_ERROR(Restore(record, positions, gone));
  }
  for (const GroupId id : GroupsOf(positions)) {
    if (FindById(id) == nullptr) gone->push_back({id, std::nullopt});
  }
  return absl::OkStatus();
}

// A topic may have grown or gone after the record was written: the group follows. Rows of a topic
// that the record does not name were still to be forgotten: they go too.
absl::Status GroupRegistry::State::Restore(const storage::v1::GroupRecord& record,
                                           const Rows& positions, std::vector<Gone>* gone) {
  std::vector<Group::NewPartition> partitions;
  const GroupId id_of_group(record.group_id());
  absl::btree_set<TopicId> left = TopicsOf(id_of_group, positions);
  const bool queue = record.group().mode() == v1::GROUP_MODE_QUEUE;
  absl::flat_hash_map<PartitionId, std::vector<StoredParked>> parked;
  int64_t dead_letters = 0;
  if (queue) {
    ASSIGN_OR_RETURN(parked, LoadParked(id_of_group));
    ASSIGN_OR_RETURN(dead_letters, CountRows(deps.engine, Family::kState,
                                             QueueRows(kDeadLetterRows, id_of_group)));
  }
  for (const uint64_t id : record.topic_ids()) {
    const TopicPtr topic = deps.topics.FindById(TopicId(id));
    if (topic == nullptr) {
      left.insert(TopicId(id));
      continue;
    }
    left.erase(topic->id);
    for (int32_t number = 0; number < topic->partitions(); ++number) {
      Group::NewPartition partition{topic, number, {}};
      const auto row = positions.find(PositionRow(id_of_group, partition.id()));
      if (row != positions.end() && !partition.position.ParseFromString(row->second)) {
        return Corrupted(absl::StrCat("position of group '", record.group().name(), "'"));
      }
      partition.restarted = true;
      if (queue) partition.parked = std::move(parked[partition.id()]);
      partitions.push_back(std::move(partition));
    }
  }
  const GroupPtr group = Make(record, dead_letters);
  group->AddPartitions(partitions);
  ResumeLater(*group);
  if (queue) ResumeRedrives(*group);
  for (const TopicId topic : left) {
    const absl::Status dropped = DropTopic(*group, topic, gone);
    if (dropped.ok()) continue;
    if (ReasonOf(dropped) != v1::DISK_FULL) return dropped;  // As in Load().
    LogWarn("rows of a group about a topic that it reads no more stay for now",
            {{"group", group->name()}, {"topic_id", topic.value()}});
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::flat_hash_map<PartitionId, std::vector<StoredParked>>>
GroupRegistry::State::LoadParked(GroupId group) const {
  absl::flat_hash_map<PartitionId, std::vector<StoredParked>> parked;
  RETURN_IF_ERROR(VisitRows(deps.engine, Family::kState, QueueRows(kParkedRows, group),
                            [&](absl::string_view key, absl::string_view value) -> absl::Status {
                              ASSIGN_OR_RETURN(StoredParked one, ParkedFrom(key, value));
                              parked[one.partition].push_back(std::move(one));
                              return absl::OkStatus();
                            }));
  return parked;
}

absl::StatusOr<int64_t> GroupRegistry::State::CountLetters(
    const Group& group, const absl::btree_set<TopicId>& topics) const {
  int64_t letters = 0;
  if (group.queue() == nullptr) return letters;
  for (const TopicId topic : topics) {
    ASSIGN_OR_RETURN(
        const int64_t of_topic,
        CountRows(deps.engine, Family::kState, QueueRows(kDeadLetterRows, group.id(), topic)));
    letters += of_topic;
  }
  return letters;
}

absl::Status GroupRegistry::State::VisitForgotten(
    Which which, absl::FunctionRef<absl::Status(absl::string_view key)> visit) const {
  using Visit =
      absl::FunctionRef<absl::Status(absl::string_view key, std::pair<PartitionId, Offset> place)>;
  const auto visit_all = [&](const char* kind, Visit visit_one) {
    return VisitRows(deps.engine, Family::kState, which(kind),
                     [&](absl::string_view key, absl::string_view) -> absl::Status {
                       ASSIGN_OR_RETURN(const auto place, PlaceOfRow(kind, key));
                       return visit_one(key, place);
                     });
  };
  absl::flat_hash_set<std::pair<PartitionId, Offset>> letters;  // Whose history stays.
  RETURN_IF_ERROR(visit_all(kDeadLetterRows, [&](absl::string_view, const auto& place) {
    letters.insert(place);
    return absl::OkStatus();
  }));
  for (const char* kind : {kParkedRows, kAttemptRows, kKeptRows}) {
    RETURN_IF_ERROR(visit_all(kind, [&](absl::string_view key, const auto& place) {
      if (kind != kParkedRows && letters.contains(place)) return absl::OkStatus();
      return visit(key);
    }));
  }
  return absl::OkStatus();
}

absl::Status GroupRegistry::State::CheckReset(
    const Group& group, const absl::btree_map<PartitionId, int64_t>& targets) const {
  if (group.queue() == nullptr) return absl::OkStatus();
  const int64_t most = deps.limits.max_reset_rows;
  int64_t rows = 0;
  for (const auto& [partition, target] : targets) {
    const auto of_partition = [&, id = partition](absl::string_view kind) {
      return QueueRows(kind, group.id(), id);
    };
    RETURN_IF_ERROR(VisitForgotten(of_partition, [&](absl::string_view) {
      return ++rows > most ? ResetTooLarge(most) : absl::OkStatus();
    }));
  }
  return absl::OkStatus();
}

absl::Status GroupRegistry::State::ForgetPositions(Which which, std::vector<RowWrite>* rows) const {
  return VisitRows(deps.engine, Family::kState, which(kPositionRows),
                   [rows](absl::string_view key, absl::string_view) {
                     rows->push_back({Family::kState, std::string(key), std::nullopt});
                     return absl::OkStatus();
                   });
}

void GroupRegistry::State::OnDeadline(GroupId group, absl::Duration deadline) {
  MutexLock lock(timer_mu_);
  // Not the last one that was named: two threads may name theirs the other way round. Where it is
  // too early the group looks, and names the next.
  absl::Duration& next = deadlines_.try_emplace(group, deadline).first->second;
  next = std::min(next, deadline);
  Arm(deadline);
}

// One timer serves all groups: it runs only while one of them waits for something.
void GroupRegistry::State::Arm(absl::Duration deadline) {
  if (deadline >= armed_) return;
  if (armed_ != absl::InfiniteDuration()) deps.timer.Cancel(timer_);
  armed_ = deadline;
  const absl::Duration delay = std::max(deadline - deps.clock.SinceBoot(), absl::ZeroDuration());
  timer_ = deps.timer.After(delay, [state = weak_from_this(), arming = ++arming_] {
    if (const auto self = state.lock()) self->OnTimer(arming);
  });
}

void GroupRegistry::State::OnTimer(uint64_t arming) {
  const absl::Duration now = deps.clock.SinceBoot();
  std::vector<GroupId> due;
  {
    MutexLock lock(timer_mu_);
    if (arming != arming_) return;  // It ran already when it was cancelled.
    absl::Duration next = absl::InfiniteDuration();
    for (const auto& [group, deadline] : deadlines_) {
      if (deadline <= now) {
        due.push_back(group);
      } else {
        next = std::min(next, deadline);
      }
    }
    for (const GroupId group : due) deadlines_.erase(group);
    armed_ = absl::InfiniteDuration();
    Arm(next);
  }
  for (const GroupId id : due) {
    const GroupPtr group = FindById(id);
    if (group != nullptr) group->Tick();  // Names its next deadline itself.
  }
}

}  // namespace acta
