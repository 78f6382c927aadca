#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "server/core/groups/group_state.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"

namespace acta {

absl::Status GroupRegistry::CheckTopicDelete(const Topic& topic, bool force) const {
  if (force) return absl::OkStatus();
  std::vector<std::string> names;
  for (const GroupPtr& group : state_->All()) {
    if (group->connected() > 0 && group->ReadsTopic(topic.id)) names.push_back(group->name());
  }
  if (names.empty()) return absl::OkStatus();
  const std::string list = absl::StrJoin(names, ", ");
  return Error(v1::TOPIC_IN_USE,
               absl::StrCat("topic '", topic.name(), "' is read by connected members of ", list,
                            ": stop them, or force the deletion"),
               {{"topic", topic.name()}, {"groups", list}});
}

void GroupRegistry::OnTopicChanged(const Topic& topic, bool deleted) {
  const auto copy = std::make_shared<const Topic>(topic);
  std::vector<State::Gone> gone;
  const absl::Cleanup forget = [&] { state_->ForgetAll(gone); };  // Without the lock.
  MutexLock lock(state_->write_mu);
  for (const GroupPtr& group : state_->All()) {
    if (!group->ReadsTopic(topic.id)) continue;
    if (!deleted) {
      state_->GrowTopic(*group, copy);
      continue;
    }
    const absl::Status status = state_->DropTopic(*group, topic.id, &gone);
    // Its rows go later, and Load() does it again: by the record, and by positions when that was
    // written since.
    if (!status.ok()) LogWarn("a deleted topic was not taken out of a group's record");
    if (group->record().topic_ids_size() > 0) continue;
    group->EndAll(Error(v1::TOPIC_NOT_FOUND,
                        absl::StrCat("topic '", topic.name(),
                                     "' was deleted, the last one of group '", group->name(), "'"),
                        {{"topic", topic.name()}}));
  }
}

absl::Status GroupRegistry::State::DropTopic(Group& group, TopicId topic, std::vector<Gone>* gone) {
  std::vector<PartitionId> partitions;
  for (const Group::PositionView& view : group.Positions()) {
    if (view.id().topic() == topic) partitions.push_back(view.id());
  }
  // Commits in flight would write the rows again.
  RETURN_IF_ERROR(group.TakePartitions(partitions).status());
  storage::v1::GroupRecord before = group.record();
  storage::v1::GroupRecord record = before;
  record.clear_topic_ids();
  record.mutable_group()->clear_topics();
  for (int i = 0; i < before.topic_ids_size(); ++i) {
    if (before.topic_ids(i) == topic.value()) continue;
    record.add_topic_ids(before.topic_ids(i));
    record.mutable_group()->add_topics(before.group().topics(i));
  }
  std::vector<RowWrite> rows;
  rows.push_back(
      {Family::kMeta, GroupRow(group.tenant(), group.name()), record.SerializeAsString()});
  group.SetRecord(std::move(record));
  // By what is on the disk: at a start the group has no partitions of a topic that is gone.
  const auto of_topic = [&](absl::string_view kind) { return QueueRows(kind, group.id(), topic); };
  if (group.queue() == nullptr) {
    RETURN_IF_ERROR(ForgetPositions(of_topic, &rows));
    const absl::Status written = Write(std::move(rows));
    if (!written.ok()) ForgetLater({group.id(), topic});
    return written;
  }
  ASSIGN_OR_RETURN(const int64_t letters, CountLetters(group, {topic}));
  const absl::Status written = Write(std::move(rows));
  if (written.ok()) {
    gone->push_back({group.id(), topic});
  } else {
    ForgetLater({group.id(), topic});
  }
  // Also of those that stay for now: nobody can see or discard them.
  group.queue()->LettersGone(letters);
  return written;
}

// A partition without a row is at offset 0, so that nothing published to it is missed; a row comes
// with its first owner.
void GroupRegistry::State::GrowTopic(Group& group, const TopicPtr& topic) {
  group.UpdateTopic(topic);
  std::vector<Group::NewPartition> added;
  for (int32_t number = 0; number < topic->partitions(); ++number) {
    added.push_back({topic, number, {}});  // Those it has already stay as they are.
  }
  group.AddPartitions(added);
  if (group.queue() != nullptr) group.queue()->TopicChanged(*topic);
}

}  // namespace acta
