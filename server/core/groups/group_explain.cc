// Why a group does not advance, and skipping events.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "proto/support/event_scanner.h"
#include "proto/support/proto_time.h"
#include "server/core/groups/group_state.h"
#include "server/core/groups/group_text.h"
#include "server/core/queues/offset_detail.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

// Who has committed or settled since then advances.
constexpr absl::Duration kRecently = absl::Seconds(10);
constexpr size_t kMostKeys = 20;  // Of a partition.

// What is looked at of one partition.
struct Standing {
  const v1::Group& group;
  const Group::PositionView& view;
  PartitionExtent extent;
  std::optional<GroupQueue::View> queue;
  int64_t now_us = 0;
  absl::Status cut;  // Of a STREAM group: as CheckCut().
};

struct Finding {
  v1::StandstillCode code = v1::STANDSTILL_CODE_UNSPECIFIED;
  std::string text;
  std::string command;
};

std::string Acta(absl::string_view verb, const Standing& at, absl::string_view rest) {
  return absl::StrCat("acta ", verb, " ", at.group.name(), rest);
}

std::string Place(const Standing& at, Offset offset) {
  return absl::StrCat(" --topic ", at.view.topic->name(), " --partition ", at.view.number,
                      " --offset ", offset.value());
}

// Of what holds its key.
std::string Redrive(const Standing& at, Offset offset) {
  return Acta("deadletter redrive", at,
              absl::StrCat(" ", at.view.topic->name(), "/", at.view.number, "/", offset.value()));
}

std::string ResetTo(const Standing& at, Offset offset, bool has_members) {
  return Acta("group reset", at,
              absl::StrCat(" --topic ", at.view.topic->name(), " --to ", at.view.number, ":",
                           offset.value(), " --reason \"...\"", has_members ? " --force" : ""));
}

// Where a queue begins anew whose log was cut: what it had not settled below the cut comes again.
Offset BeginBehindCut(const GroupQueue::View& queue, Offset first) {
  return std::max(first, std::min(queue.oldest, queue.lost.first));
}

// LOG_TRUNCATED: its log was cut below the position of a STREAM group.
absl::Status CheckCut(const LogEngine& engine, const Group::PositionView& view) {
  const Incarnation taken_in(static_cast<uint32_t>(view.position.incarnation()));
  return engine.CheckPosition(view.id(), taken_in, Offset(view.position.offset()));
}

Offset BeginBehindCut(const absl::Status& cut, Offset first) {
  return std::max(first, OffsetDetail(cut, "offset", first));
}

Finding ExplainCut(const Standing& at, const absl::Status& cut, Offset came_to, Offset anew,
                   bool has_members) {
  return {v1::STANDSTILL_CODE_GAP,
          absl::StrCat(cut.message(), ", and the group had come as far as offset ", came_to.value(),
                       ": what is there now are other events"),
          ResetTo(at, anew, has_members)};
}

Finding ExplainRefused(const Standing& at, const GroupQueue::Refused& refused) {
  const int64_t left_us = std::max<int64_t>(0, refused.until_us - at.now_us);
  return {v1::STANDSTILL_CODE_GAP,
          absl::StrCat("the disk does not give the event at offset ", refused.at.value(), " (",
                       refused.status.message(), "): it is asked again every second for ",
                       left_us / 1'000'000, " s, and the group stands still there then; ",
                       "it comes by itself, or skip it"),
          Acta("group skip", at, absl::StrCat(Place(at, refused.at), " --reason \"...\""))};
}

// What stops groups of both modes. UNSPECIFIED: nothing of it.
Finding WhatStopsAll(const Standing& at, int32_t members) {
  const v1::GroupPause& pause = at.group.pause();
  if (at.group.has_pause()) {
    return {v1::STANDSTILL_CODE_PAUSED,
            absl::StrCat("paused by '", pause.by(), "': ", pause.reason()),
            Acta("group resume", at, "")};
  }
  const Offset position(at.view.position.offset());
  const bool behind = !at.queue.has_value() && position < at.extent.first;
  if (behind) {
    return {v1::STANDSTILL_CODE_GAP,
            absl::StrCat(Lag(position, at.extent.first), " events from offset ", position.value(),
                         " on are gone by retention"),
            ResetTo(at, at.extent.first, !at.view.member_id.empty())};
  }
  if (ReasonOf(at.cut) == v1::LOG_TRUNCATED) {
    return ExplainCut(at, at.cut, position, BeginBehindCut(at.cut, at.extent.first),
                      !at.view.member_id.empty());
  }
  if (at.queue.has_value() && !at.queue->problem.ok()) {
    const OffsetRun& lost = at.queue->lost;
    if (ReasonOf(at.queue->problem) == v1::LOG_TRUNCATED) {
      return ExplainCut(at, at.queue->problem, lost.end, BeginBehindCut(*at.queue, at.extent.first),
                        members > 0);
    }
    return {v1::STANDSTILL_CODE_GAP, std::string(at.queue->problem.message()),
            Acta("group skip", at,
                 absl::StrCat(Place(at, lost.first), " --count ", Lag(lost.first, lost.end),
                              " --reason \"...\""))};
  }
  // Without members nobody asks for it.
  const bool waits = members > 0 && at.queue.has_value() && at.queue->refused.has_value();
  return waits ? ExplainRefused(at, *at.queue->refused) : Finding();
}

// What retention took may be skipped, what does not exist yet not.
absl::Status CheckSkip(const LogEngine& engine, const Group::PositionView& view, int64_t offset,
                       int32_t count) {
  ASSIGN_OR_RETURN(const PartitionExtent extent, engine.Extent(view.id()));
  const Offset first(offset);
  if (offset >= 0 && first <= extent.visible_end && count <= Lag(first, extent.visible_end)) {
    return absl::OkStatus();
  }
  return Error(
      v1::OFFSET_OUT_OF_RANGE,
      absl::StrCat(count, " events from offset ", offset, " of partition ", view.number,
                   " of topic '", view.topic->name(), "' on are not between 0 and the end ",
                   extent.visible_end.value()),
      {{"offset", absl::StrCat(offset)}, {"end", absl::StrCat(extent.visible_end.value())}});
}

// Of a run that is not reached without what is before it, which could be `read` or not.
absl::Status CheckReached(GroupQueue& queue, const Group::PositionView& view, Offset first,
                          const absl::Status& read) {
  const std::optional<GroupQueue::View> at = queue.Look(view.id());
  if (!at.has_value() || first <= at->head) return absl::OkStatus();
  const absl::Status& problem = at->problem.ok() ? read : at->problem;
  const std::string where =
      absl::StrCat("the group has come as far as offset ", at->head.value(), " of partition ",
                   view.number, " of topic '", view.topic->name(), "', ");
  if (!problem.ok()) {
    return Error(ReasonOf(problem),
                 absl::StrCat(where, "where it stands still: skip from there on"),
                 {{"offset", absl::StrCat(at->head.value())}});
  }
  return Error(v1::LIMIT_EXCEEDED,
               absl::StrCat(where,
                            "where as many events are outstanding or parked as may be: what "
                            "follows is skipped from there on, or when those are settled"),
               {{"limit", "window"}, {"offset", absl::StrCat(at->head.value())}});
}

// Where the log was cut a skip would pass over the events that came there since.
absl::Status ResetInstead(const Group::PositionView& view, Offset cut, Offset anew) {
  return Error(
      v1::LOG_TRUNCATED,
      absl::StrCat("the log of partition ", view.number, " of topic '", view.topic->name(),
                   "' was cut at offset ", cut.value(), ": reset the group to ", view.number, ":",
                   anew.value(), " instead, a skip would lose what came there since"),
      {{"offset", absl::StrCat(cut.value())}});
}

// Of a STREAM group.
absl::Status CheckNotCut(const LogEngine& engine, const Group::PositionView& view) {
  const absl::Status cut = CheckCut(engine, view);
  if (ReasonOf(cut) != v1::LOG_TRUNCATED) return absl::OkStatus();
  ASSIGN_OR_RETURN(const PartitionExtent extent, engine.Extent(view.id()));
  return ResetInstead(view, OffsetDetail(cut, "offset", extent.first),
                      BeginBehindCut(cut, extent.first));
}

absl::Status CheckNotCut(const LogEngine& engine, GroupQueue& queue,
                         const Group::PositionView& view, OffsetRun run) {
  const std::optional<GroupQueue::View> at = queue.Look(view.id());
  if (!at.has_value() || ReasonOf(at->problem) != v1::LOG_TRUNCATED) return absl::OkStatus();
  if (run.end <= at->lost.first) return absl::OkStatus();
  ASSIGN_OR_RETURN(const PartitionExtent extent, engine.Extent(view.id()));
  return ResetInstead(view, at->lost.first, BeginBehindCut(*at, extent.first));
}

absl::StatusOr<int64_t> SkipOfQueue(const Caller& caller, const LogEngine& engine,
                                    GroupQueue& queue, const Group::PositionView& view,
                                    const v1::SkipOffsetsRequest& request, int32_t count) {
  const OffsetRun run = {Offset(request.offset()), Offset(request.offset()) + count};
  RETURN_IF_ERROR(CheckNotCut(engine, queue, view, run));
  RETURN_IF_ERROR(CheckReached(queue, view, run.first, queue.ScanThrough(view.id(), run.end)));
  if (request.dry_run()) return queue.CountOutstanding(view.id(), run);
  const int64_t skipped = queue.Skip(view.id(), run, {caller.principal, request.reason()});
  RETURN_IF_ERROR(queue.WaitQuiet());
  return skipped;
}

Finding NoMember(const Standing& at) {
  // Who joins names just what the group reads, and this is said of each partition.
  constexpr int kMostNames = 8;
  const bool many = at.group.topics_size() > kMostNames;
  // Without --exec it would acknowledge what it prints.
  return {v1::STANDSTILL_CODE_NO_MEMBER, "no member is connected",
          many ? Acta("group describe", at, "")
               : absl::StrCat("acta subscribe ", absl::StrJoin(at.group.topics(), " "), " --group ",
                              at.group.name(), at.queue.has_value() ? " --exec ./handle.sh" : "")};
}

Finding ExplainStream(const Standing& at, int32_t members) {
  if (Offset(at.view.position.offset()) >= at.extent.visible_end) {
    return {v1::STANDSTILL_CODE_CAUGHT_UP, "everything is committed", ""};
  }
  if (at.view.member_id.empty() || members == 0) return NoMember(at);
  const int64_t since_us = at.now_us - at.view.position.commit_time_us();
  if (since_us < absl::ToInt64Microseconds(kRecently)) {
    return {v1::STANDSTILL_CODE_ADVANCING, absl::StrCat("member '", at.view.member_id, "' commits"),
            ""};
  }
  const bool never = at.view.position.commit_time_us() == 0;
  const std::string commits =
      never ? "never committed" : absl::StrCat("not committed for ", since_us / 1'000'000, " s");
  return {v1::STANDSTILL_CODE_NOT_COMMITTED,
          absl::StrCat("member '", at.view.member_id, "' has the partition and has ", commits,
                       ": look into its log"),
          Acta("group describe", at, "")};
}

Finding ExplainFull(const Standing& at, int32_t members) {
  const GroupQueue::View& queue = *at.queue;
  if (queue.dead_letters >= queue.max_dead_letters) {
    return {v1::STANDSTILL_CODE_DEAD_LETTERS_FULL,
            absl::StrCat("the group has ", queue.dead_letters,
                         " dead letters, as many as it may: redrive or discard some"),
            Acta("deadletter list", at, "")};
  }
  if (members == 0) return NoMember(at);
  if (queue.room > 0) return {};
  return {v1::STANDSTILL_CODE_WINDOW_FULL,
          "as many events are outstanding or parked as may be: those have to be settled first",
          Acta("group lag", at, "")};
}

Finding ExplainQueue(const Standing& at, int32_t members) {
  const GroupQueue::View& queue = *at.queue;
  const PartitionQueue::Counts& counts = queue.counts;
  const int64_t not_scanned = NotScanned(queue, at.extent.visible_end);
  if (OutstandingOf(queue, at.extent.visible_end) == 0) {
    return {v1::STANDSTILL_CODE_CAUGHT_UP, "everything is settled", ""};
  }
  Finding full = ExplainFull(at, members);
  if (full.code != v1::STANDSTILL_CODE_UNSPECIFIED) return full;
  const bool grace = at.now_us < queue.grace_until_us;
  const Offset grace_end = std::min(queue.grace_end, at.extent.visible_end);
  const int64_t in_grace = grace ? counts.in_grace + NotScanned(queue, grace_end) : 0;
  const int64_t ready = counts.ready + not_scanned - in_grace;
  const bool moves =
      queue.wanted || at.now_us - queue.moved_us < absl::ToInt64Microseconds(kRecently);
  if (in_grace > 0 && ready == 0) {
    return {
        v1::STANDSTILL_CODE_LEASE_HELD,
        absl::StrCat(in_grace, " events may be held by members of before the broker's restart, ",
                     "which have ", (queue.grace_until_us - at.now_us) / 1'000'000 + 1,
                     " s to say so: they come by themselves"),
        Acta("group describe", at, "")};
  }
  if (ready > 0 && (moves || counts.leased == 0)) {
    return {v1::STANDSTILL_CODE_ADVANCING,
            absl::StrCat(ready, " events wait for a member with credit"), ""};
  }
  if (counts.leased > 0) {
    std::string text = absl::StrCat("members have leases on ", counts.leased, " events");
    if (ready > 0) {
      absl::StrAppend(&text, " and settle none of them; ", ready, " wait for one with credit");
    }
    return {v1::STANDSTILL_CODE_LEASE_HELD, std::move(text), Acta("group describe", at, "")};
  }
  if (counts.held > 0) {
    const Offset oldest = counts.oldest_held.value_or(queue.oldest);
    return {v1::STANDSTILL_CODE_HELD,
            absl::StrCat(counts.held, " events failed as often as they may and hold their keys, ",
                         counts.blocked_by_key, " wait behind them; the oldest is at offset ",
                         oldest.value(), ": redrive it or skip it"),
            Redrive(at, oldest)};
  }
  if (counts.retry_wait > 0) {
    const Offset oldest = counts.oldest_retry.value_or(queue.oldest);
    return {v1::STANDSTILL_CODE_RETRY_WAIT,
            absl::StrCat(counts.retry_wait, " events failed and wait for another attempt, ",
                         counts.blocked_by_key, " wait behind them; the oldest is at offset ",
                         oldest.value(), ": it comes by itself, or skip it"),
            Acta("group skip", at, absl::StrCat(Place(at, oldest), " --reason \"...\""))};
  }
  return {v1::STANDSTILL_CODE_KEY_BLOCKED,
          absl::StrCat(counts.blocked_by_key, " events wait for an earlier one of their key"),
          Acta("group describe", at, "")};
}

// Why the event does not go on that others of its key wait for.
Finding ExplainKey(const Standing& at, const KeyStandstill& key) {
  switch (key.why) {
    case KeyStandstill::Why::kLeased:
      return {v1::STANDSTILL_CODE_LEASE_HELD, "a member has a lease on it",
              Acta("group describe", at, "")};
    case KeyStandstill::Why::kRetryWait:
      return {v1::STANDSTILL_CODE_RETRY_WAIT,
              absl::StrCat("it failed; its next attempt is in ",
                           std::max<int64_t>(0, key.due_us - at.now_us) / 1'000'000, " s"),
              Acta("group skip", at, absl::StrCat(Place(at, key.offset), " --reason \"...\""))};
    case KeyStandstill::Why::kHeld:
      return {v1::STANDSTILL_CODE_HELD, "it failed as often as it may: redrive it, or skip it",
              Redrive(at, key.offset)};
    case KeyStandstill::Why::kReady:
      break;
  }
  return {v1::STANDSTILL_CODE_ADVANCING, "it waits for a member with credit", ""};
}

// Empty when the event cannot be read.
std::string KeyAt(const LogEngine& engine, GroupId group, PartitionId partition, Offset offset) {
  const auto batch = LoadEvent(engine, group, partition, offset);
  if (!batch.ok()) return "";
  ScannedEvent event;
  if (ScanEvent((*batch)->EventAt(offset), &event) != WireFault::kNone) return "";
  return std::string(event.key);
}

void ExplainKeys(const LogEngine& engine, const Group& group, const Standing& at,
                 v1::PartitionExplanation* out) {
  const PartitionId partition = at.view.id();
  for (const KeyStandstill& key : group.queue()->Standstills(partition, kMostKeys)) {
    Finding finding = ExplainKey(at, key);
    v1::KeyExplanation* const row = out->add_keys();
    row->set_key(KeyAt(engine, group.id(), partition, key.offset));
    row->set_code(finding.code);
    row->set_offset(key.offset.value());
    row->set_waiting_events(key.waiting);
    row->set_text(std::move(finding.text));
    row->set_command(std::move(finding.command));
  }
}

}  // namespace

absl::StatusOr<v1::ExplainGroupResponse> GroupRegistry::Explain(
    const Caller& caller, const v1::ExplainGroupRequest& request) const {
  ASSIGN_OR_RETURN(const GroupPtr group, state_->Get(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(state_->AllowTopicsOf(caller, Verb::kObserve, *group, ""));
  const v1::Group described = group->record().group();
  const auto members = static_cast<int32_t>(group->connected());
  v1::ExplainGroupResponse response;
  response.set_members(members);
  if (described.has_pause()) *response.mutable_pause() = described.pause();
  for (const Group::PositionView& view : group->Positions()) {
    const auto extent = state_->deps.engine.Extent(view.id());
    if (!extent.ok()) continue;  // The topic is being deleted.
    Standing at{described, view, *extent, std::nullopt,
                absl::ToUnixMicros(state_->deps.engine.Now())};
    if (group->queue() != nullptr) {
      at.queue = group->queue()->Look(view.id());
    } else {
      at.cut = CheckCut(state_->deps.engine, view);
    }
    Finding finding = WhatStopsAll(at, members);
    if (finding.code == v1::STANDSTILL_CODE_UNSPECIFIED) {
      finding = at.queue.has_value() ? ExplainQueue(at, members) : ExplainStream(at, members);
    }
    v1::PartitionExplanation* out = response.add_partitions();
    out->set_topic(view.topic->name());
    out->set_partition(view.number);
    out->set_code(finding.code);
    out->set_text(std::move(finding.text));
    out->set_command(std::move(finding.command));
    const Offset next = at.queue.has_value() ? at.queue->oldest : Offset(view.position.offset());
    out->set_offset(next.value());
    out->set_lag_events(at.queue.has_value()
                            ? OutstandingOf(*at.queue, extent->visible_end)
                            : std::max<int64_t>(0, Lag(next, extent->visible_end)));
    const bool shows_keys = at.queue.has_value() && at.queue->counts.blocked_by_key > 0 &&
                            state_->AllowTopic(caller, Verb::kBrowse, view.topic->name()).ok();
    if (shows_keys) ExplainKeys(state_->deps.engine, *group, at, out);
  }
  return response;
}

absl::StatusOr<v1::ListExpiredResponse> GroupRegistry::ListExpired(
    const Caller& caller, const v1::ListExpiredRequest& request) const {
  ASSIGN_OR_RETURN(const GroupPtr group,
                   state_->GetQueue(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(state_->AllowTopicsOf(caller, Verb::kObserve, *group, ""));
  absl::flat_hash_map<PartitionId, Group::PositionView> views;
  for (Group::PositionView& view : group->Positions()) {
    const PartitionId id = view.id();
    views.emplace(id, std::move(view));
  }
  const GroupQueue::ExpiredList list = group->queue()->ListExpired();
  v1::ListExpiredResponse response;
  response.set_total(list.total);
  for (const GroupQueue::Expired& expired : list.runs) {
    const auto view = views.find(expired.partition);
    if (view == views.end()) continue;  // The group reads it no more.
    v1::ExpiredEvents* const out = response.add_expired();
    out->set_topic(view->second.topic->name());
    out->set_partition(view->second.number);
    out->set_offset(expired.run.first.value());
    out->set_count(Lag(expired.run.first, expired.run.end));
    SetTimeUs(expired.time_us, out->mutable_time());
  }
  return response;
}

absl::StatusOr<v1::SkipOffsetsResponse> GroupRegistry::Skip(const Caller& caller,
                                                            const v1::SkipOffsetsRequest& request) {
  MutexLock lock(state_->write_mu);
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const GroupPtr group, state_->Get(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(state_->AllowTopic(caller, Verb::kSubscribe, request.topic()));
  RETURN_IF_ERROR(CheckReason("skipping", request.reason()));
  if (!request.dry_run()) RETURN_IF_ERROR(state_->CheckRoom());
  const int32_t count = std::max(1, request.count());
  for (const Group::PositionView& view : group->Positions()) {
    if (view.topic->name() != request.topic() || view.number != request.partition()) continue;
    RETURN_IF_ERROR(CheckSkip(state_->deps.engine, view, request.offset(), count));
    v1::SkipOffsetsResponse response;
    response.set_dry_run(request.dry_run());
    if (group->queue() != nullptr) {
      ASSIGN_OR_RETURN(const int64_t skipped, SkipOfQueue(caller, state_->deps.engine,
                                                          *group->queue(), view, request, count));
      response.set_skipped(skipped);
    } else {
      RETURN_IF_ERROR(CheckNotCut(state_->deps.engine, view));
      RETURN_IF_ERROR(state_->SkipOfStream(caller, *group, view, request, count));
      response.set_skipped(count);
    }
    if (request.dry_run()) return response;
    LogInfo("events were skipped", {{"group", group->name()},
                                    {"topic", request.topic()},
                                    {"partition", absl::StrCat(request.partition())},
                                    {"offset", absl::StrCat(request.offset())},
                                    {"skipped", absl::StrCat(response.skipped())},
                                    {"by", caller.principal},
                                    {"reason", request.reason()}});
    return response;
  }
  return NotReadByGroup(group->name(), request.topic(), request.partition());
}

}  // namespace acta
