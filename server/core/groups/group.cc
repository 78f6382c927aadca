#include "server/core/groups/group.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "proto/support/proto_time.h"
#include "server/core/groups/group_membership.h"
#include "server/core/queues/queue_settings.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"

namespace acta {

using Kind = AssignmentDecision::Kind;

namespace {

std::shared_ptr<GroupQueue> MakeQueue(const Group::Deps& deps,
                                      const storage::v1::GroupRecord& record,
                                      int64_t dead_letters) {
  if (record.group().mode() != v1::GROUP_MODE_QUEUE) return nullptr;
  QueueBudget budget;
  budget.max_dead_letters = record.group().queue().max_dead_letters();
  budget.dead_letters = dead_letters;
  return GroupQueue::Make({deps.engine, deps.pool, deps.timer, deps.shelves, deps.topics},
                          GroupId(record.group_id()), PolicyOf(record.group().queue()), budget);
}

}  // namespace

Group::Group(Deps deps, storage::v1::GroupRecord record, int64_t dead_letters)
    : deps_(std::move(deps)),
      id_(record.group_id()),
      tenant_(record.tenant()),
      name_(record.group().name()),
      queue_(MakeQueue(deps_, record, dead_letters)),
      record_(std::move(record)),
      assignment_({deps_.limits.revoke_deadline, deps_.limits.member_grace}) {
  if (queue_ != nullptr && record_.group().has_pause()) queue_->SetPaused(true);
}

storage::v1::GroupRecord Group::record() const {
  MutexLock lock(mu_);
  return record_;
}

v1::Group Group::Describe() const {
  MutexLock lock(mu_);
  v1::Group group = record_.group();
  absl::flat_hash_map<std::string, v1::GroupMember> members = members_;
  for (const auto& [id, position] : positions_) {
    const auto member = members.find(OwnerOf(id));
    if (member == members.end()) continue;
    v1::GroupPartition* partition = member->second.add_partitions();
    partition->set_topic(position.topic->name());
    partition->set_partition(position.number);
    partition->set_generation(assignment_.generation(id));
  }
  for (const Assignment::PlaceView& place : assignment_.Places()) {
    const auto member = members.find(place.member);
    if (member != members.end()) *group.add_members() = member->second;
  }
  return group;
}

std::vector<Group::PositionView> Group::StreamPositions() const {
  MutexLock lock(mu_);
  std::vector<PositionView> views;
  views.reserve(positions_.size());
  for (const auto& [id, position] : positions_) {
    views.push_back({position.topic, position.number, position.committed, OwnerOf(id)});
  }
  return views;
}

std::optional<int64_t> Group::CommittedOf(PartitionId partition) const {
  MutexLock lock(mu_);
  const auto it = positions_.find(partition);
  if (it == positions_.end()) return std::nullopt;
  return it->second.committed.offset();
}

std::vector<Group::PositionView> Group::Positions() const {
  std::vector<PositionView> views = StreamPositions();
  if (queue_ == nullptr) return views;
  for (PositionView& view : views) {
    if (auto look = queue_->Look(view.id())) view.position = std::move(look->record);
  }
  return views;
}

std::string Group::OwnerOf(PartitionId partition) const {
  const auto session = sessions_.find(assignment_.holder(partition));
  return session != sessions_.end() ? session->second->member_id : assignment_.target(partition);
}

size_t Group::connected() const {
  MutexLock lock(mu_);
  return sessions_.size();
}

bool Group::ReadsTopic(TopicId topic) const {
  MutexLock lock(mu_);
  const auto& ids = record_.topic_ids();
  return std::find(ids.begin(), ids.end(), topic.value()) != ids.end();
}

TopicPtr Group::TopicOf(PartitionId partition) const {
  MutexLock lock(mu_);
  const auto it = positions_.find(partition);
  return it == positions_.end() ? nullptr : it->second.topic;
}

std::optional<PartitionId> Group::FindPartition(absl::string_view topic, int32_t partition) const {
  MutexLock lock(mu_);
  for (const auto& [id, position] : positions_) {
    if (position.number == partition && position.topic->name() == topic) return id;
  }
  return std::nullopt;
}

absl::StatusOr<std::shared_ptr<Membership>> Group::Join(const Caller& caller,
                                                        const JoinRequest& request,
                                                        const std::string& member_id, bool created,
                                                        std::shared_ptr<MemberListener> listener) {
  const absl::Duration now = deps_.clock.SinceBoot();
  auto session = std::make_shared<Session>();
  session->member_id = member_id;
  session->listener = std::move(listener);
  {
    MutexLock lock(mu_);
    const auto limit = static_cast<size_t>(deps_.limits.max_members_per_group);
    if (assignment_.place_count() >= limit && !assignment_.HasPlace(member_id)) {
      return LimitExceeded(absl::StrCat("group '", name_, "' would have members:"),
                           static_cast<int64_t>(assignment_.place_count()) + 1,
                           "limits.members_per_group", deps_.limits.max_members_per_group);
    }
    session->number = ++last_session_;
    sessions_[session->number] = session;
    if (record_.group().has_pause()) TellPaused(session, true);
    AssignmentDecisions decisions;
    assignment_.Join(session->number, member_id, !request.member_id.empty(), now, &decisions);
    v1::GroupMember& member = members_[member_id];
    member.set_member_id(member_id);
    member.set_app(request.app);
    member.set_app_version(request.app_version);
    member.set_instance(request.instance);
    member.set_peer(caller.peer);
    member.set_connected(true);
    SetTime(deps_.engine.Now(), member.mutable_connect_time());
    Apply(std::move(decisions), now);
  }
  if (queue_ != nullptr) {
    queue_->Join(session->number, {member_id, request.app, request.app_version}, [session] {
      if (!session->gone.load()) session->listener->OnQueued();
    });
  }
  Flush();
  return std::make_shared<GroupMembership>(shared_from_this(), session, created);
}

void Group::Leave(const SessionPtr& session) {
  const absl::Duration now = deps_.clock.SinceBoot();
  session->gone.store(true);
  {
    MutexLock lock(mu_);
    if (sessions_.erase(session->number) == 0) return;
    while (!session->handles.empty()) DropHandle(*session->handles.begin());
    AssignmentDecisions decisions;
    assignment_.Leave(session->number, now, &decisions);
    ForgetMembers();
    Apply(std::move(decisions), now);
  }
  if (queue_ != nullptr) queue_->Leave(session->number, true);
  Flush();
}

void Group::Break(const SessionPtr& session) {
  const absl::Duration now = deps_.clock.SinceBoot();
  session->gone.store(true);
  {
    MutexLock lock(mu_);
    if (sessions_.erase(session->number) == 0) return;
    while (!session->handles.empty()) DropHandle(*session->handles.begin());
    members_[session->member_id].set_connected(false);
    AssignmentDecisions decisions;
    assignment_.Break(session->number, now, &decisions);
    ForgetMembers();
    Apply(std::move(decisions), now);
  }
  if (queue_ != nullptr) queue_->Leave(session->number, false);
  Flush();
}

void Group::Tick() {
  const absl::Duration now = deps_.clock.SinceBoot();
  {
    MutexLock lock(mu_);
    AssignmentDecisions decisions;
    assignment_.Tick(now, &decisions);
    ForgetMembers();
    Apply(std::move(decisions), now);
  }
  Flush();
}

absl::Status Group::WaitQuiet(bool patient) {
  if (queue_ != nullptr) RETURN_IF_ERROR(queue_->WaitQuiet(patient));
  MutexLock lock(mu_);
  WaitForRows(last_row_);
  return absl::OkStatus();
}

void Group::WaitForRows(uint64_t last) {
  while (!rows_queued_.empty() && *rows_queued_.begin() <= last) {
    const ActionQueue& rows = queues_[kRows];
    if (rows.draining || rows.actions.empty()) {
      quiet_.Wait(mu_);
      continue;
    }
    mu_.Unlock();  // The pool may be busy with those who wait here.
    Drain(kRows);
    mu_.Lock();
  }
}

void Group::SetRecord(storage::v1::GroupRecord record) {
  const bool paused = record.group().has_pause();
  bool changed = false;
  {
    MutexLock lock(mu_);
    changed = record_.group().has_pause() != paused;
    record_ = std::move(record);
    if (changed) {
      for (const auto& [number, session] : sessions_) TellPaused(session, paused);
    }
  }
  if (!changed) return;
  if (queue_ != nullptr) queue_->SetPaused(paused);
  Flush();
}

void Group::TellPaused(const SessionPtr& session, bool paused) {
  queues_[kCalls].actions.push_back([session, paused] {
    if (!session->gone.load()) session->listener->OnPaused(paused);
  });
}

void Group::AddPartitions(const std::vector<NewPartition>& added) {
  const absl::Duration now = deps_.clock.SinceBoot();
  {
    MutexLock lock(mu_);
    std::vector<Assignment::Added> machine;
    for (const NewPartition& add : added) {
      const auto [it, inserted] = positions_.try_emplace(add.id());
      if (!inserted) continue;
      it->second.topic = add.topic;
      it->second.number = add.number;
      it->second.committed = add.position;
      it->second.submitted = add.position.offset();
      if (queue_ == nullptr) machine.push_back({add.id(), add.position.generation()});
    }
    AssignmentDecisions decisions;
    assignment_.Change(machine, {}, now, &decisions);
    Apply(std::move(decisions), now);
  }
  if (queue_ != nullptr) {
    for (const NewPartition& add : added)
      queue_->Add({add.id(), add.position, add.parked, add.restarted});
  }
  Flush();
}

absl::StatusOr<std::vector<Group::NewPartition>> Group::TakePartitions(
    const std::vector<PartitionId>& removed, bool patient) {
  if (removed.empty()) return std::vector<NewPartition>();
  const absl::Duration now = deps_.clock.SinceBoot();
  uint64_t last_row = 0;
  {
    MutexLock lock(mu_);
    last_row = last_row_;  // No later row is of these partitions.
    AssignmentDecisions decisions;
    assignment_.Change({}, removed, now, &decisions);
    Apply(std::move(decisions), now);
  }
  Flush();
  absl::flat_hash_map<PartitionId, GroupQueue::Start> queued;
  absl::Status quiet;
  if (queue_ != nullptr) {
    for (const PartitionId partition : removed) {
      if (auto start = queue_->Detach(partition)) queued[partition] = *std::move(start);
    }
    quiet = queue_->WaitQuiet(patient);
  }
  std::vector<NewPartition> taken = TakePositions(removed, last_row, std::move(queued));
  Flush();
  if (quiet.ok()) return taken;
  AddPartitions(taken);
  return quiet;
}

std::vector<Group::NewPartition> Group::TakePositions(
    const std::vector<PartitionId>& removed, uint64_t last_row,
    absl::flat_hash_map<PartitionId, GroupQueue::Start> queued) {
  std::vector<NewPartition> taken;
  MutexLock lock(mu_);
  WaitForRows(last_row);
  for (const PartitionId partition : removed) {
    const auto it = positions_.find(partition);
    if (it == positions_.end()) continue;
    NewPartition& back =
        taken.emplace_back(NewPartition{it->second.topic, it->second.number, it->second.committed});
    if (const auto queue = queued.find(partition); queue != queued.end()) {
      back.position = std::move(queue->second.record);
      back.parked = std::move(queue->second.parked);
    }
    // Who waits for a step elsewhere is told that the handle is over.
    for (const WaiterPtr& waiter : it->second.waiting) Call(waiter);
    positions_.erase(it);
  }
  return taken;
}

void Group::UpdateTopic(const TopicPtr& topic) {
  MutexLock lock(mu_);
  for (int32_t number = 0; number < topic->partitions(); ++number) {
    const auto it = positions_.find(topic->partition(number));
    if (it != positions_.end()) it->second.topic = topic;
  }
}

void Group::SetPosition(PartitionId partition, const storage::v1::PositionRecord& position) {
  MutexLock lock(mu_);
  const auto it = positions_.find(partition);
  if (it == positions_.end()) return;
  const int64_t generation = it->second.committed.generation();
  it->second.committed = position;
  it->second.committed.set_generation(std::max(generation, position.generation()));
  it->second.submitted = position.offset();
}

// Members whose place is gone are forgotten.
void Group::ForgetMembers() {
  if (members_.size() == assignment_.place_count()) return;
  for (auto it = members_.begin(); it != members_.end();) {
    const auto member = it++;
    if (!assignment_.HasPlace(member->first)) members_.erase(member);
  }
}

void Group::DropHandle(uint64_t handle) {
  const auto it = handles_.find(handle);
  if (it == handles_.end()) return;
  it->second.session->handles.erase(handle);
  const auto position = positions_.find(it->second.partition);
  if (position != positions_.end() && position->second.handle == handle) {
    position->second.handle = 0;
  }
  handles_.erase(it);
}

void Group::EndSession(const SessionPtr& ended, const absl::Status& status, bool cleanly) {
  const SessionPtr session = ended;  // The caller's may be the entry that goes.
  while (!session->handles.empty()) DropHandle(*session->handles.begin());
  sessions_.erase(session->number);
  queues_[kCalls].actions.push_back([session, status, cleanly, queue = queue_] {
    if (queue != nullptr) queue->Leave(session->number, cleanly);
    if (!session->gone.exchange(true)) session->listener->OnEnded(status);
  });
}

void Group::Apply(AssignmentDecisions decisions, absl::Duration now) {
  std::vector<RowWrite> rows;
  for (const AssignmentDecision& decision : decisions) {
    const auto it = sessions_.find(decision.session);
    if (it == sessions_.end()) continue;
    const SessionPtr session = it->second;
    if (decision.kind == Kind::kEnded) {
      EndSession(session,
                 Error(v1::MEMBER_REPLACED,
                       absl::StrCat("another connection joined group '", name_, "' as member '",
                                    session->member_id, "': give each member its own id"),
                       {{"group", name_}, {"member_id", session->member_id}}),
                 false);
      continue;
    }
    if (decision.kind == Kind::kAssign) {
      Assign(decision, &rows);
      continue;
    }
    const uint64_t handle = positions_[decision.partition].handle;
    if (handle == 0) continue;
    if (decision.kind == Kind::kRevoke) {
      const absl::Duration left = decision.deadline - now;
      queues_[kCalls].actions.push_back([session, handle, left] {
        if (!session->gone.load()) session->listener->OnRevoking(handle, left);
      });
    } else {
      DropHandle(handle);
      queues_[kCalls].actions.push_back([session, handle] {
        if (!session->gone.load()) session->listener->OnRevoked(handle);
      });
    }
  }
  QueueGenerations(std::move(rows));
}

// Handles fence within a life of the daemon; the rows only keep the numbers rising across.
void Group::QueueGenerations(std::vector<RowWrite> rows, uint64_t number) {
  if (rows.empty()) return;
  const auto done = [](const TransactionResult& result) {
    if (!result.status.ok()) LogWarn("a generation was not written");
  };
  QueueRows(std::move(rows), Level::kOs, done, number);
}

void Group::Assign(const AssignmentDecision& decision, std::vector<RowWrite>* rows) {
  const SessionPtr session = sessions_[decision.session];
  Position& position = positions_[decision.partition];
  const uint64_t handle = NewHandle();
  handles_[handle] = {decision.partition, session};
  session->handles.insert(handle);
  position.handle = handle;
  position.releasing = 0;
  position.committed.set_generation(decision.generation);
  if (position.step_end > 0) {
    position.assigned_in_step = true;  // Nothing goes over the row of the step.
  } else {
    rows->push_back(MakeRow(position, std::max(position.submitted, position.committed.offset()),
                            position.committed.commit_time_us()));
  }
  MemberAssignment assignment;
  assignment.handle = handle;
  assignment.topic = position.topic;
  assignment.partition = position.number;
  assignment.generation = decision.generation;
  assignment.offset = Offset(position.committed.offset());
  // That of the position: only so a reader finds out that the log behind it is another one.
  assignment.incarnation = Incarnation(position.committed.incarnation());
  queues_[kCalls].actions.push_back([session, assignment = std::move(assignment)] {
    if (!session->gone.load()) session->listener->OnAssigned(assignment);
  });
}

void Group::Drain(Queue queue) {
  std::deque<Action> actions;
  {
    MutexLock lock(mu_);
    ActionQueue& own = queues_[queue];
    if (own.draining || own.actions.empty()) return;
    own.draining = true;
    actions = std::exchange(own.actions, {});
  }
  for (Action& action : actions) action();
  {
    MutexLock lock(mu_);
    queues_[queue].draining = false;
    if (queues_[queue].actions.empty()) return;
    quiet_.SignalAll();  // Who waits may submit it, when the pool is busy.
  }
  deps_.pool.Post([self = shared_from_this(), queue] { self->Drain(queue); });
}

void Group::Flush(bool here) {
  bool calls;
  absl::Duration deadline;
  {
    MutexLock lock(mu_);
    calls = !queues_[kCalls].actions.empty() || (!here && !queues_[kRows].actions.empty());
    deadline = assignment_.next_deadline();
  }
  if (here) Drain(kRows);
  if (calls) {
    deps_.pool.Post([self = shared_from_this(), here] {
      if (!here) self->Drain(kRows);
      self->Drain(kCalls);
    });
  }
  if (deadline != absl::InfiniteDuration()) deps_.on_deadline(id_, deadline);
}

}  // namespace acta
