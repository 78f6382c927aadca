#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "proto/support/proto_time.h"
#include "server/core/access/names.h"
#include "server/core/groups/group_state.h"
#include "server/core/groups/group_text.h"
#include "server/core/queues/queue_settings.h"
#include "server/core/topics/topic_rules.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"
#include "storage/visit_rows.h"

namespace acta {
namespace {

// Rows of a group or topic that is gone, which may be millions, that one write deletes.
constexpr size_t kForgottenAtOnce = 10'000;
// When some could not be deleted.
constexpr absl::Duration kForgetAgain = absl::Minutes(10);

absl::Status CheckMode(v1::GroupMode mode) {
  if (v1::GroupMode_IsValid(mode)) return absl::OkStatus();
  return Error(v1::UNKNOWN_ENUM_VALUE,
               absl::StrCat("mode ", static_cast<int>(mode), " is not known: use STREAM or QUEUE"),
               {{"field", "mode"}, {"value", absl::StrCat(static_cast<int>(mode))}});
}

absl::Status Invalid(absl::string_view field, absl::string_view what) {
  return Error(v1::INVALID_ARGUMENT, absl::StrCat(field, ": ", what),
               {{"field", std::string(field)}});
}

// STREAM when nothing is said.
absl::Status SettleMode(v1::Group* group) {
  RETURN_IF_ERROR(CheckMode(group->mode()));
  if (group->mode() == v1::GROUP_MODE_QUEUE) return SettleQueueSettings(group->mutable_queue());
  group->set_mode(v1::GROUP_MODE_STREAM);
  if (!group->has_queue()) return absl::OkStatus();
  return Invalid("queue", "only groups of mode QUEUE have these settings");
}

absl::Status CheckDescription(const v1::Group& group) {
  const auto bytes = static_cast<int64_t>(group.description().size());
  if (bytes <= kMaxDescriptionBytes) return absl::OkStatus();
  return LimitExceeded("the description has bytes:", bytes, "max_description_bytes",
                       kMaxDescriptionBytes);
}

constexpr char kChangeable[] = "topics, labels, description, queue or queue.FIELD";
constexpr char kQueuePath[] = "queue.";

// The field as the request has it; what is not set there gets its default.
absl::Status UpdateQueue(const std::string& path, const v1::Group& from, v1::Group* to) {
  if (to->mode() != v1::GROUP_MODE_QUEUE) return NotAQueue(to->name());
  v1::QueueSettings wanted = from.queue();
  wanted.DiscardUnknownFields();
  v1::QueueSettings* const queue = to->mutable_queue();
  if (path == "queue") {
    *queue = std::move(wanted);
    return absl::OkStatus();
  }
  const auto* const field =
      v1::QueueSettings::descriptor()->FindFieldByName(path.substr(std::strlen(kQueuePath)));
  if (field == nullptr) {
    return Invalid("update_mask",
                   absl::StrCat("there is no field '", ShownName(path), "' of a group"));
  }
  queue->GetReflection()->SwapFields(queue, &wanted, {field});
  return absl::OkStatus();
}

absl::Status UpdateField(const std::string& path, const v1::Group& from, v1::Group* to) {
  if (path == "queue" || absl::StartsWith(path, kQueuePath)) return UpdateQueue(path, from, to);
  if (path == "topics") {
    *to->mutable_topics() = from.topics();
  } else if (path == "labels") {
    RETURN_IF_ERROR(CheckLabels(from.labels()));
    *to->mutable_labels() = from.labels();
  } else if (path == "description") {
    RETURN_IF_ERROR(CheckDescription(from));
    to->set_description(from.description());
  } else {
    return Invalid("update_mask",
                   absl::StrCat("'", ShownName(path), "' cannot be changed, only ", kChangeable));
  }
  return absl::OkStatus();
}

int Strictness(v1::QueueOrder order) {
  if (order == v1::QUEUE_ORDER_KEY) return 2;
  return order == v1::QUEUE_ORDER_KEY_RELAXED ? 1 : 0;
}

// Leases would be lost, and what failed already may have been overtaken.
absl::Status CheckOrder(const Group& group, v1::QueueOrder before, v1::QueueOrder after) {
  if (after == before) return absl::OkStatus();
  const size_t members = std::max(group.connected(), group.queue()->members());
  if (members > 0) {
    return Error(v1::GROUP_IN_USE,
                 absl::StrCat("group '", group.name(), "' has ", members,
                              " connected members: stop them before its order is changed"),
                 {{"group", group.name()}, {"members", absl::StrCat(members)}});
  }
  const int64_t tried = Strictness(after) > Strictness(before) ? group.queue()->CountTried() : 0;
  if (tried == 0) return absl::OkStatus();
  return Error(v1::REORDER_NOT_ACCEPTED,
               absl::StrCat("group '", group.name(), "' has ", tried,
                            " events that failed already and may have been overtaken: let them be "
                            "processed, or skip them, before its order becomes stricter"),
               {{"group", group.name()}, {"events", absl::StrCat(tried)}});
}

RowWrite GroupRowOf(const storage::v1::GroupRecord& record) {
  return {Family::kMeta, GroupRow(record.tenant(), record.group().name()),
          record.SerializeAsString()};
}

RowWrite PositionRowOf(uint64_t group, const Group::NewPartition& partition) {
  return {Family::kState, PositionRow(GroupId(group), partition.id()),
          partition.position.SerializeAsString()};
}

}  // namespace

absl::Status CheckOffsetInRange(const LogEngine& engine, const Topic& topic, int32_t partition,
                                int64_t offset) {
  ASSIGN_OR_RETURN(const PartitionExtent extent, engine.Extent(topic.partition(partition)));
  if (Offset(offset) >= extent.first && Offset(offset) <= extent.visible_end) {
    return absl::OkStatus();
  }
  return Error(v1::OFFSET_OUT_OF_RANGE,
               absl::StrCat("offset ", offset, " of partition ", partition, " of topic '",
                            topic.name(), "' is not between the first offset ",
                            extent.first.value(), " and the end ", extent.visible_end.value()),
               {{"topic", topic.name()},
                {"partition", absl::StrCat(partition)},
                {"offset", absl::StrCat(offset)},
                {"first", absl::StrCat(extent.first.value())},
                {"end", absl::StrCat(extent.visible_end.value())}});
}

absl::StatusOr<Offset> ResolveStart(const LogEngine& engine, const Topic& topic, int32_t partition,
                                    const v1::StartPosition& start) {
  const PartitionId id = topic.partition(partition);
  switch (start.at_case()) {
    case v1::StartPosition::kOffset:
      RETURN_IF_ERROR(CheckOffsetInRange(engine, topic, partition, start.offset()));
      return Offset(start.offset());
    case v1::StartPosition::kTimeUs:
      return engine.FindOffset(id, start.time_us());
    case v1::StartPosition::kEarliest: {
      ASSIGN_OR_RETURN(const PartitionExtent extent, engine.Extent(id));
      return extent.first;
    }
    default: {
      ASSIGN_OR_RETURN(const PartitionExtent extent, engine.Extent(id));
      return extent.visible_end;
    }
  }
}

absl::StatusOr<std::vector<TopicPtr>> GroupRegistry::State::FindTopics(
    const Caller& caller, const v1::Group& group) const {
  if (group.topics().empty()) return Invalid("topics", "a group reads at least one topic");
  if (group.topics_size() > deps.limits.max_topics_per_group) {
    return LimitExceeded(absl::StrCat("group '", group.name(), "' has topics:"),
                         group.topics_size(), "limits.topics_per_group",
                         deps.limits.max_topics_per_group);
  }
  absl::flat_hash_set<std::string> names;
  for (const std::string& name : group.topics()) {
    if (!names.insert(name).second) {
      return Invalid("topics", absl::StrCat("topic '", ShownName(name), "' is named twice"));
    }
    RETURN_IF_ERROR(AllowTopic(caller, Verb::kSubscribe, name));
  }
  std::vector<TopicPtr> topics;
  for (const std::string& name : group.topics()) {
    ASSIGN_OR_RETURN(TopicPtr topic, deps.topics.Get(caller.tenant, name));
    topics.push_back(std::move(topic));
  }
  return topics;
}

absl::StatusOr<std::vector<Group::NewPartition>> GroupRegistry::State::StartPositions(
    const std::vector<TopicPtr>& topics, const v1::StartPosition& start) const {
  std::vector<Group::NewPartition> partitions;
  for (const TopicPtr& topic : topics) {
    for (int32_t number = 0; number < topic->partitions(); ++number) {
      ASSIGN_OR_RETURN(const Offset offset, ResolveStart(deps.engine, *topic, number, start));
      Group::NewPartition partition{topic, number, {}};
      partition.position.set_offset(offset.value());
      partition.position.set_incarnation(deps.engine.incarnation().value());
      partitions.push_back(std::move(partition));
    }
  }
  return partitions;
}

absl::StatusOr<GroupPtr> GroupRegistry::State::Create(const Caller& caller, v1::Group group,
                                                      const v1::StartPosition& start) {
  RETURN_IF_ERROR(ValidateName("group", group.name()));
  RETURN_IF_ERROR(SettleMode(&group));
  RETURN_IF_ERROR(CheckLabels(group.labels()));
  RETURN_IF_ERROR(CheckDescription(group));
  if (Find(caller.tenant, group.name()) != nullptr) {
    return Error(v1::GROUP_ALREADY_EXISTS,
                 absl::StrCat("group '", group.name(),
                              "' already exists: use it, or choose "
                              "another name"),
                 {{"group", group.name()}});
  }
  if (count() >= deps.limits.max_groups) {
    return LimitExceeded("the server would have groups:", count() + 1, "limits.groups",
                         deps.limits.max_groups);
  }
  ASSIGN_OR_RETURN(const std::vector<TopicPtr> topics, FindTopics(caller, group));
  ASSIGN_OR_RETURN(const std::vector<Group::NewPartition> partitions,
                   StartPositions(topics, start));
  storage::v1::GroupRecord record;
  record.set_group_id(next_group_id_);
  record.set_tenant(caller.tenant);
  group.clear_members();
  group.clear_pause();           // It would have no timer, and name whom the caller likes.
  group.DiscardUnknownFields();  // Nothing limits them.
  SetTime(deps.engine.Now(), group.mutable_create_time());
  *record.mutable_group() = std::move(group);
  for (const TopicPtr& topic : topics) record.add_topic_ids(topic->id.value());

  std::string next(8, '\0');
  PutLittle<uint64_t>(next.data(), next_group_id_ + 1);
  std::vector<RowWrite> rows;
  rows.push_back({Family::kMeta, kNextGroupIdRow, next});
  rows.push_back(GroupRowOf(record));
  for (const auto& add : partitions) rows.push_back(PositionRowOf(record.group_id(), add));
  // A number whose write failed may have been written: it is not used again.
  ++next_group_id_;
  RETURN_IF_ERROR(Write(std::move(rows)));
  GroupPtr made = Make(record, 0);
  made->AddPartitions(partitions);
  return made;
}

absl::Status GroupRegistry::State::Update(const Caller& caller, Group& group,
                                          const v1::UpdateGroupRequest& request,
                                          std::vector<Gone>* gone) {
  storage::v1::GroupRecord record = group.record();
  const v1::QueueSettings before = record.group().queue();
  if (request.update_mask().paths().empty()) {
    return Invalid("update_mask", absl::StrCat("name the fields to change: ", kChangeable));
  }
  bool topics_changed = false;
  bool queue_changed = false;
  for (const std::string& path : request.update_mask().paths()) {
    RETURN_IF_ERROR(UpdateField(path, request.group(), record.mutable_group()));
    topics_changed |= path == "topics";
    queue_changed |= path == "queue" || absl::StartsWith(path, kQueuePath);
  }
  if (queue_changed) {
    RETURN_IF_ERROR(SettleQueueSettings(record.mutable_group()->mutable_queue()));
    RETURN_IF_ERROR(CheckOrder(group, before.order(), record.group().queue().order()));
  }
  const v1::QueueSettings after = record.group().queue();
  if (topics_changed) {
    ASSIGN_OR_RETURN(const std::vector<TopicPtr> topics, FindTopics(caller, record.group()));
    RETURN_IF_ERROR(SetTopics(group, topics, std::move(record), gone));
  } else {
    std::vector<RowWrite> rows;
    rows.push_back(GroupRowOf(record));
    RETURN_IF_ERROR(Write(std::move(rows)));
    group.SetRecord(std::move(record));
  }
  if (!queue_changed) return absl::OkStatus();
  return group.queue()->SetPolicy(PolicyOf(after), after.max_dead_letters());
}

absl::Status GroupRegistry::State::SetTopics(Group& group, const std::vector<TopicPtr>& topics,
                                             storage::v1::GroupRecord record,
                                             std::vector<Gone>* gone) {
  const storage::v1::GroupRecord before = group.record();
  absl::flat_hash_set<uint64_t> old(before.topic_ids().begin(), before.topic_ids().end());
  absl::flat_hash_set<uint64_t> kept;
  std::vector<TopicPtr> fresh;
  record.clear_topic_ids();
  for (const TopicPtr& topic : topics) {
    record.add_topic_ids(topic->id.value());
    kept.insert(topic->id.value());
    if (!old.contains(topic->id.value())) fresh.push_back(topic);
  }
  for (const TopicPtr& topic : fresh) {
    // It may have read it before, and what it kept then may be there still.
    RETURN_IF_ERROR(
        ForgetRows([&](absl::string_view kind) { return QueueRows(kind, group.id(), topic->id); },
                   [this](std::vector<RowWrite> some) { return Write(std::move(some)); }));
  }
  ASSIGN_OR_RETURN(const std::vector<Group::NewPartition> added,
                   StartPositions(fresh, v1::StartPosition()));
  std::vector<RowWrite> rows;
  rows.push_back(GroupRowOf(record));
  for (const auto& add : added) rows.push_back(PositionRowOf(record.group_id(), add));
  std::vector<PartitionId> removed;
  absl::btree_set<TopicId> left;
  for (const Group::PositionView& view : group.Positions()) {
    if (kept.contains(view.topic->id.value())) continue;
    removed.push_back(view.id());
    left.insert(view.topic->id);
    if (group.queue() != nullptr) continue;  // It has more, which goes behind this write.
    rows.push_back({Family::kState, PositionRow(group.id(), view.id()), std::nullopt});
  }
  // Commits in flight must not write rows of a removed partition again: it is taken away first,
  // and given back, as it is then, when the write fails.
  ASSIGN_OR_RETURN(const std::vector<Group::NewPartition> taken, group.TakePartitions(removed));
  const absl::StatusOr<int64_t> letters = CountLetters(group, left);
  const absl::Status written = letters.ok() ? Write(std::move(rows)) : letters.status();
  if (!written.ok()) {
    group.AddPartitions(taken);
    return written;
  }
  group.SetRecord(std::move(record));
  group.AddPartitions(added);
  if (group.queue() == nullptr) return absl::OkStatus();
  group.queue()->LettersGone(*letters);
  for (const TopicId topic : left) gone->push_back({group.id(), topic});
  return absl::OkStatus();
}

absl::Status GroupRegistry::State::Delete(const GroupPtr& group, std::vector<Gone>* gone) {
  RETURN_IF_ERROR(group->WaitQuiet(/*patient=*/false));  // Before members are told of an end.
  group->EndAll(GroupNotFound(group->name()));
  RETURN_IF_ERROR(group->WaitQuiet(/*patient=*/false));
  // A queue writes for retention too: nothing of it may come behind what is deleted here.
  std::vector<PartitionId> ids;
  for (const Group::PositionView& view : group->Positions()) ids.push_back(view.id());
  ASSIGN_OR_RETURN(const std::vector<Group::NewPartition> taken,
                   group->TakePartitions(ids, /*patient=*/false));
  const absl::Status written = WriteDeletion(*group);
  if (!written.ok()) {
    group->AddPartitions(taken);
    return written;
  }
  // It is gone, whatever becomes of what it kept: nobody finds it, and retention asks it no more.
  CancelResume(group->id());
  gone->push_back({group->id(), std::nullopt});
  MutexLock lock(map_mu_);
  by_id_.erase(group->id());
  groups_.erase({group->tenant(), group->name()});
  queues_ = nullptr;
  return absl::OkStatus();
}

absl::Status GroupRegistry::State::WriteDeletion(const Group& group) {
  std::vector<RowWrite> rows;
  rows.push_back({Family::kMeta, GroupRow(group.tenant(), group.name()), std::nullopt});
  if (group.queue() == nullptr) {
    const auto all = [&](absl::string_view kind) { return QueueRows(kind, group.id()); };
    RETURN_IF_ERROR(ForgetPositions(all, &rows));
  } else {
    RETURN_IF_ERROR(VisitRows(deps.engine, Family::kState, QueueRows(kRedriveRows, group.id()),
                              [&](absl::string_view key, absl::string_view) {
                                rows.push_back({Family::kState, std::string(key), std::nullopt});
                                return absl::OkStatus();
                              }));
  }
  return Write(std::move(rows));
}

absl::Status GroupRegistry::State::ForgetRows(
    Which which, absl::FunctionRef<absl::Status(std::vector<RowWrite>)> write) const {
  std::vector<RowWrite> rows;  // Only their keys: values, which may be large, go page by page.
  for (const char* kind : {kParkedRows, kAttemptRows, kKeptRows, kDeadLetterRows,
                           kPositionRows}) {  // By these a start finds that there is more.
    RETURN_IF_ERROR(VisitRows(deps.engine, Family::kState, which(kind),
                              [&](absl::string_view key, absl::string_view) {
                                rows.push_back({Family::kState, std::string(key), std::nullopt});
                                if (rows.size() < kForgottenAtOnce) return absl::OkStatus();
                                return write(std::exchange(rows, {}));
                              }));
  }
  return rows.empty() ? absl::OkStatus() : write(std::move(rows));
}

// With the lock for each write and without it for the reads between them: so that others, who wait
// for it, get it.
absl::Status GroupRegistry::State::Forget(const Gone& gone) {
  const auto of_it = [&gone](absl::string_view kind) {
    return gone.topic.has_value() ? QueueRows(kind, gone.group, *gone.topic)
                                  : QueueRows(kind, gone.group);
  };
  const absl::Status forgotten = ForgetRows(of_it, [&](std::vector<RowWrite> rows) {
    MutexLock lock(write_mu);
    // A group that reads the topic again has forgotten the rest before, and these may be new.
    const GroupPtr group = gone.topic.has_value() ? FindById(gone.group) : nullptr;
    if (group != nullptr && group->ReadsTopic(*gone.topic)) return absl::CancelledError();
    return Write(std::move(rows));
  });
  if (forgotten.ok() || absl::IsCancelled(forgotten)) return absl::OkStatus();
  ForgetLater(gone);
  return forgotten;
}

void GroupRegistry::State::ForgetAll(const std::vector<Gone>& gone) {
  for (const Gone& one : gone) {
    const absl::Status forgotten = Forget(one);
    if (forgotten.ok()) continue;
    LogWarn("rows of a group or topic that is gone stay for now",
            {{"group_id", one.group.value()}, {"reason", forgotten.message()}});
  }
}

void GroupRegistry::State::ForgetLater(const Gone& gone) {
  deps.timer.After(kForgetAgain, [state = weak_from_this(), gone] {
    const auto self = state.lock();
    if (self == nullptr) return;
    // Nothing is read while nothing can be written.
    if (!self->CheckRoom().ok()) return self->ForgetLater(gone);
    self->Forget(gone).IgnoreError();  // It comes back here.
  });
}

}  // namespace acta
