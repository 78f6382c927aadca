#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/core/groups/group_state.h"
#include "server/core/groups/group_text.h"
#include "server/core/queues/queue_records.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"
#include "storage/visit_rows.h"

namespace acta {
namespace {

using Targets = absl::btree_map<PartitionId, int64_t>;

absl::Status Invalid(absl::string_view field, absl::string_view what) {
  return Error(v1::INVALID_ARGUMENT, absl::StrCat(field, ": ", what),
               {{"field", std::string(field)}});
}

absl::Status FencedByMembers(const Group& group, absl::string_view advice) {
  return Error(v1::FENCED,
               absl::StrCat("group '", group.name(), "' has ", group.connected(),
                            " connected members: ", advice),
               {{"group", group.name()}, {"members", absl::StrCat(group.connected())}});
}

// More than there are positions name one twice.
absl::Status CheckCount(const Group& group, int offsets) {
  const size_t positions = group.Positions().size();
  if (static_cast<size_t>(offsets) <= positions) return absl::OkStatus();
  return Invalid("offsets",
                 absl::StrCat(offsets, " are named, and group '", group.name(),
                              "' has positions in ", positions, " partitions: name each once"));
}

// By topic and partition; views of the positions.
using PlacedViews =
    absl::flat_hash_map<std::pair<absl::string_view, int32_t>, const Group::PositionView*>;

PlacedViews ViewsByPlace(const std::vector<Group::PositionView>& views) {
  PlacedViews places;
  for (const Group::PositionView& view : views) {
    places[{view.topic->name(), view.number}] = &view;
  }
  return places;
}

absl::StatusOr<const Group::PositionView*> FindPosition(const PlacedViews& places,
                                                        const Group& group,
                                                        const v1::GroupOffset& offset) {
  const auto found = places.find({offset.topic(), offset.partition()});
  if (found != places.end()) return found->second;
  return NotReadByGroup(group.name(), offset.topic(), offset.partition());
}

absl::Status CheckCommit(const LogEngine& engine, const Group::PositionView& view, int64_t offset) {
  const std::string place =
      absl::StrCat("partition ", view.number, " of topic '", view.topic->name(), "'");
  ErrorDetails details = {{"topic", view.topic->name()},
                          {"partition", absl::StrCat(view.number)},
                          {"offset", absl::StrCat(offset)}};
  if (offset < 0) {
    return Error(v1::OFFSET_OUT_OF_RANGE,
                 absl::StrCat("commit of offset ", offset, " in ", place, ": it is below 0"),
                 std::move(details));
  }
  ASSIGN_OR_RETURN(const PartitionExtent extent, engine.Extent(view.id()));
  if (Offset(offset) <= extent.visible_end) return absl::OkStatus();
  details.emplace_back("end", absl::StrCat(extent.visible_end.value()));
  return Error(v1::OFFSET_BEYOND_END,
               absl::StrCat("commit of offset ", offset, " in ", place, ": the end is ",
                            extent.visible_end.value()),
               std::move(details));
}

// Where a reset moves each partition it touches. Blocks.
absl::StatusOr<Targets> ResolveTargets(const LogEngine& engine, const Group& group,
                                       const std::vector<Group::PositionView>& views,
                                       const v1::ResetOffsetsRequest& request) {
  Targets targets;
  if (request.target_case() == v1::ResetOffsetsRequest::kToOffsets) {
    const PlacedViews places = ViewsByPlace(views);
    for (const v1::GroupOffset& offset : request.to_offsets().offsets()) {
      if (!request.topic().empty() && offset.topic() != request.topic()) {
        return Invalid("to_offsets", "an offset is not of the topic the reset names");
      }
      ASSIGN_OR_RETURN(const Group::PositionView* view, FindPosition(places, group, offset));
      RETURN_IF_ERROR(CheckOffsetInRange(engine, *view->topic, view->number, offset.offset()));
      if (!targets.emplace(view->id(), offset.offset()).second) {
        return Invalid("to_offsets", "a partition is named twice");
      }
    }
    if (targets.empty()) return Invalid("to_offsets", "name at least one offset");
    return targets;
  }
  if (request.to().at_case() == v1::StartPosition::AT_NOT_SET) {
    return Invalid("target", "say where to: earliest, latest, a time, an offset or to_offsets");
  }
  bool found = request.topic().empty();
  for (const Group::PositionView& view : views) {
    if (!request.topic().empty() && view.topic->name() != request.topic()) continue;
    found = true;
    ASSIGN_OR_RETURN(const Offset offset,
                     ResolveStart(engine, *view.topic, view.number, request.to()));
    targets[view.id()] = offset.value();
  }
  if (found) return targets;
  return TopicNotReadByGroup(group.name(), request.topic());
}

// What is a dead letter stays one: of what follows the target it is passed over.
absl::Status BeginAnew(const LogEngine& engine, GroupId group, PartitionId partition, Offset target,
                       storage::v1::PositionRecord* record) {
  QueuePosition position{target, target, {}};
  RowRange letters;
  letters.prefix = QueueRows(kDeadLetterRows, group, partition);
  if (target > Offset(0)) {
    letters.after = QueueRow(kDeadLetterRows, group, partition, target + -1);
  }
  RETURN_IF_ERROR(
      VisitRows(engine, std::move(letters),
                [&](absl::string_view key, absl::string_view value) -> absl::Status {
                  ASSIGN_OR_RETURN(const auto place, PlaceOfRow(kDeadLetterRows, key));
                  storage::v1::DeadLetterRecord letter;
                  if (!letter.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
                    return Error(v1::DATA_CORRUPTED, "a dead letter cannot be read");
                  }
                  // When the log was cut since, another event is there.
                  const Incarnation incarnation(static_cast<uint32_t>(letter.incarnation()));
                  const Offset offset = place.second;
                  if (!engine.CheckPosition(partition, incarnation, offset + 1).ok()) {
                    return absl::OkStatus();
                  }
                  if (position.head < offset)
                    position.outstanding.push_back({position.head, offset});
                  position.head = offset + 1;
                  return absl::OkStatus();
                }));
  PutPosition(position, record);
  record->set_generation(record->generation() + 1);
  return absl::OkStatus();
}

// The ledger is told of a commit by who is no member.
void PutCommitted(const TopicRegistry* topics, const Group& group, const Group::PositionView& view,
                  const storage::v1::PositionRecord& now, std::vector<RowWrite>* rows) {
  const OffsetRun range = {Offset(view.position.offset()), Offset(now.offset())};
  if (range.first >= range.end || !KeepsLedger(topics, view.id())) return;
  rows->push_back(LedgerRow(PassedRecord(group.id(), view.id(), range, now.commit_time_us())));
}

// And that somebody moved the group: forward past events that nobody processed, or
// back before those that are to be processed again.
void PutMoved(const LogEngine& engine, const TopicRegistry* topics, const Group& group,
              const Group::PositionView& view, int64_t to, const LedgerNote& note,
              std::vector<RowWrite>* rows) {
  const int64_t from = view.position.offset();
  if (from == to || !KeepsLedger(topics, view.id())) return;
  const OffsetRun range = {Offset(std::min(from, to)), Offset(std::max(from, to))};
  const auto kind =
      from < to ? storage::v1::LedgerEntry::SKIPPED : storage::v1::LedgerEntry::REWOUND;
  rows->push_back(LedgerRow(DecisionRecord(group.id(), view.id(), absl::ToUnixMicros(engine.Now()),
                                           LedgerEntryOf(kind, range, note))));
}

// The same of a QUEUE group, with what was outstanding wherever it was: the position has passed
// those that are parked, and what was settled behind its oldest comes again as well.
void PutQueueMoved(const LogEngine& engine, const TopicRegistry* topics, const Group& group,
                   const Group::NewPartition& before, Offset to, const LedgerNote& note,
                   std::vector<RowWrite>* rows) {
  using Entry = storage::v1::LedgerEntry;
  if (!KeepsLedger(topics, before.id())) return;
  const int64_t now_us = absl::ToUnixMicros(engine.Now());
  const auto put = [&](Entry::Kind kind, OffsetRun range, bool outstanding) {
    if (range.first >= range.end) return;
    Entry entry = LedgerEntryOf(kind, range, note);
    entry.set_outstanding(outstanding);
    rows->push_back(LedgerRow(DecisionRecord(group.id(), before.id(), now_us, std::move(entry))));
  };
  OffsetRun parked;
  for (const StoredParked& one : before.parked) {  // By offset.
    const Offset offset = one.event.offset;
    if (offset >= to) break;
    if (offset != parked.end) {
      put(Entry::SKIPPED, parked, true);
      parked.first = offset;
    }
    parked.end = offset + 1;
  }
  put(Entry::SKIPPED, parked, true);
  const QueuePosition position = PositionFrom(before.position);
  put(Entry::SKIPPED, {position.floor, to}, false);
  put(Entry::REWOUND, {to, position.head}, false);
}

// Those that a reset moves, as they stand. Tells of them in the response.
std::vector<Group::PositionView> PlanMoves(const Group& group, const Targets& targets,
                                           v1::ResetOffsetsResponse* response) {
  std::vector<Group::PositionView> moved;
  for (Group::PositionView& view : group.Positions()) {
    const auto target = targets.find(view.id());
    if (target == targets.end()) continue;
    v1::OffsetChange* change = response->add_changes();
    change->set_topic(view.topic->name());
    change->set_partition(view.number);
    change->set_old_offset(view.position.offset());
    change->set_new_offset(target->second);
    moved.push_back(std::move(view));
  }
  return moved;
}

std::vector<PartitionId> IdsOf(const Targets& targets) {
  std::vector<PartitionId> ids;
  ids.reserve(targets.size());
  for (const auto& [partition, target] : targets) ids.push_back(partition);
  return ids;
}

}  // namespace

absl::StatusOr<v1::CommitOffsetsResponse> GroupRegistry::CommitOffsets(
    const Caller& caller, const v1::CommitOffsetsRequest& request) {
  MutexLock lock(state_->write_mu);
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const GroupPtr group, state_->Get(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(CheckCount(*group, request.offsets_size()));
  for (const v1::GroupOffset& offset : request.offsets()) {
    RETURN_IF_ERROR(state_->AllowTopic(caller, Verb::kSubscribe, offset.topic()));
  }
  if (group->queue() != nullptr) {
    return Error(v1::WRONG_GROUP_MODE,
                 absl::StrCat("group '", group->name(), "' is of mode QUEUE, whose members settle ",
                              "events one by one: reset it, or skip events"),
                 {{"group", group->name()}});
  }
  if (group->connected() > 0) {
    return FencedByMembers(*group, "commits from outside need a group without members");
  }
  RETURN_IF_ERROR(group->WaitQuiet());
  const LogEngine& engine = state_->deps.engine;
  const std::vector<Group::PositionView> views = group->Positions();
  const PlacedViews places = ViewsByPlace(views);
  absl::btree_map<PartitionId, storage::v1::PositionRecord> changed;
  for (const v1::GroupOffset& offset : request.offsets()) {
    ASSIGN_OR_RETURN(const Group::PositionView* view, FindPosition(places, *group, offset));
    RETURN_IF_ERROR(CheckCommit(engine, *view, offset.offset()));
    const auto it = changed.try_emplace(view->id(), view->position).first;
    if (offset.offset() <= it->second.offset()) continue;
    it->second.set_offset(offset.offset());
    it->second.set_incarnation(engine.incarnation().value());
    it->second.set_commit_time_us(absl::ToUnixMicros(engine.Now()));
  }
  std::vector<RowWrite> rows;
  for (const auto& [partition, position] : changed) {
    rows.push_back(
        {Family::kState, PositionRow(group->id(), partition), position.SerializeAsString()});
  }
  for (const Group::PositionView& view : views) {
    const auto at = changed.find(view.id());
    if (at == changed.end()) continue;
    PutCommitted(state_->ledger_topics(), *group, view, at->second, &rows);
  }
  if (!rows.empty()) RETURN_IF_ERROR(state_->Write(std::move(rows)));
  for (const auto& [partition, position] : changed) group->SetPosition(partition, position);
  return v1::CommitOffsetsResponse();
}

absl::StatusOr<v1::ResetOffsetsResponse> GroupRegistry::ResetOffsets(
    const Caller& caller, const v1::ResetOffsetsRequest& request) {
  MutexLock lock(state_->write_mu);
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const GroupPtr group, state_->Get(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(state_->AllowTopicsOf(caller, Verb::kSubscribe, *group, request.topic()));
  RETURN_IF_ERROR(CheckCount(*group, request.to_offsets().offsets_size()));
  for (const v1::GroupOffset& offset : request.to_offsets().offsets()) {
    RETURN_IF_ERROR(state_->AllowTopic(caller, Verb::kSubscribe, offset.topic()));
  }
  RETURN_IF_ERROR(CheckReason("a reset", request.reason()));
  ASSIGN_OR_RETURN(const Targets targets,
                   ResolveTargets(state_->deps.engine, *group, group->Positions(), request));
  if (!request.dry_run()) {
    RETURN_IF_ERROR(state_->CheckRoom());
    if (group->connected() > 0 && !request.force()) {
      return FencedByMembers(*group, "stop them, or force the reset, which ends those it concerns");
    }
  }
  RETURN_IF_ERROR(state_->CheckReset(*group, targets));
  const std::vector<PartitionId> ids = IdsOf(targets);
  const absl::Cleanup give_out = [&] { group->GiveOut(ids); };
  if (!request.dry_run()) {
    group->EndHolders(ids, Error(v1::GROUP_RESET,
                                 absl::StrCat("the positions of group '", group->name(),
                                              "' were reset: drop what was delivered and join "
                                              "again"),
                                 {{"group", group->name()}}));
    // What was committed before is part of the old offsets.
    RETURN_IF_ERROR(group->WaitQuiet());
  }
  v1::ResetOffsetsResponse response;
  response.set_dry_run(request.dry_run());
  std::vector<Group::PositionView> moved = PlanMoves(*group, targets, &response);
  if (request.dry_run() || moved.empty()) return response;
  // A queue writes at any time, for retention or for what it reads: it is taken away first, and
  // given back, as it is then, when the write fails.
  std::vector<Group::NewPartition> taken;
  if (group->queue() != nullptr) {
    ASSIGN_OR_RETURN(taken, group->TakePartitions(ids, /*patient=*/false));
  }
  const absl::Status written =
      state_->WriteReset(*group, targets, {caller.principal, request.reason()}, taken, &moved);
  if (!written.ok()) {
    group->AddPartitions(taken);
    return written;
  }
  std::vector<Group::NewPartition> anew;
  for (Group::PositionView& view : moved) {
    if (group->queue() != nullptr) {
      anew.push_back({view.topic, view.number, std::move(view.position)});
    } else {
      group->SetPosition(view.id(), view.position);
    }
  }
  group->AddPartitions(anew);
  return response;
}

absl::Status GroupRegistry::State::WriteReset(const Group& group,
                                              const absl::btree_map<PartitionId, int64_t>& targets,
                                              const LedgerNote& note,
                                              const std::vector<Group::NewPartition>& taken,
                                              std::vector<Group::PositionView>* moved) {
  const LogEngine& engine = deps.engine;
  const int64_t now_us = absl::ToUnixMicros(engine.Now());
  std::vector<RowWrite> rows;
  for (Group::PositionView& view : *moved) {
    const int64_t target = targets.at(view.id());
    storage::v1::PositionRecord position = view.position;
    position.set_offset(target);
    if (group.queue() != nullptr) {
      RETURN_IF_ERROR(BeginAnew(engine, group.id(), view.id(), Offset(target), &position));
      const auto of_partition = [&](absl::string_view kind) {
        return QueueRows(kind, group.id(), view.id());
      };
      RETURN_IF_ERROR(VisitForgotten(of_partition, [&](absl::string_view key) {
        rows.push_back({Family::kState, std::string(key), std::nullopt});
        return absl::OkStatus();
      }));
    }
    position.set_incarnation(engine.incarnation().value());
    position.set_reset_reason(note.why);
    position.set_reset_by(note.by);
    position.set_reset_time_us(now_us);
    rows.push_back(
        {Family::kState, PositionRow(group.id(), view.id()), position.SerializeAsString()});
    if (group.queue() == nullptr) {
      PutMoved(engine, ledger_topics(), group, view, target, note, &rows);
    }
    view.position = std::move(position);
  }
  for (const Group::NewPartition& before : taken) {
    const Offset target(targets.at(before.id()));
    PutQueueMoved(engine, ledger_topics(), group, before, target, note, &rows);
  }
  return Write(std::move(rows));
}

absl::Status GroupRegistry::State::SkipOfStream(const Caller& caller, Group& group,
                                                const Group::PositionView& view,
                                                const v1::SkipOffsetsRequest& request,
                                                int32_t count) {
  if (view.position.offset() != request.offset()) {
    const std::string at = absl::StrCat(view.position.offset());
    return Error(
        v1::OFFSET_OUT_OF_RANGE,
        absl::StrCat("group '", group.name(), "' reads on at offset ", at, " of partition ",
                     view.number, ": a STREAM group can only skip there"),
        {{"offset", absl::StrCat(request.offset())}, {"committed", at}});
  }
  if (request.dry_run()) return absl::OkStatus();
  const absl::Cleanup give_out = [&] { group.GiveOut({view.id()}); };
  group.EndHolders({view.id()},
                   Error(v1::GROUP_RESET,
                         absl::StrCat("events of group '", group.name(),
                                      "' were skipped: drop what was delivered and join again"),
                         {{"group", group.name()}}));
  RETURN_IF_ERROR(group.WaitQuiet());
  storage::v1::PositionRecord position;
  for (const Group::PositionView& now : group.Positions()) {
    if (now.id() == view.id()) position = now.position;
  }
  if (position.offset() != request.offset()) {
    return Error(v1::CONCURRENT_CHANGE,
                 absl::StrCat("group '", group.name(), "' committed offset ", position.offset(),
                              " meanwhile: nothing was skipped"),
                 {{"group", group.name()}});
  }
  position.set_offset(request.offset() + count);
  position.set_incarnation(deps.engine.incarnation().value());
  position.set_reset_reason(request.reason());
  position.set_reset_by(caller.principal);
  position.set_reset_time_us(absl::ToUnixMicros(deps.engine.Now()));
  std::vector<RowWrite> rows = {
      {Family::kState, PositionRow(group.id(), view.id()), position.SerializeAsString()}};
  PutMoved(deps.engine, ledger_topics(), group, view, position.offset(),
           {caller.principal, request.reason()}, &rows);
  RETURN_IF_ERROR(Write(std::move(rows)));
  group.SetPosition(view.id(), position);
  return absl::OkStatus();
}

}  // namespace acta
