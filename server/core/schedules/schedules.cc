#include "server/core/schedules/schedules.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "server/core/schedules/schedule_records.h"
#include "server/core/schedules/schedule_state.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"
#include "storage/visit_rows.h"

namespace acta {
namespace {

absl::Status BeingScheduled() {
  return Error(v1::CONCURRENT_CHANGE,
               "another call is scheduling an event of the same id; retry after the delay");
}

using ReservedEvents = std::vector<ScheduleReservation::Event>;

void ReleaseIds(const ReservedEvents& events, ScheduleIndex& index) {
  for (const ScheduleReservation::Event& one : events) {
    if (!one.duplicate) index.Release(one.facts);
  }
}

// The events of a reservation, by index: the new ones numbered, and their ids taken. All or none.
absl::StatusOr<ReservedEvents> TakeNumbers(const ScheduleRequest& request, int64_t now_us,
                                           ScheduleState& state, FrameNumbers* of_frame)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mu);

absl::StatusOr<ReservedEvents> TakeNumbers(const ScheduleRequest& request, int64_t now_us,
                                           ScheduleState& state, FrameNumbers* of_frame) {
  ReservedEvents events;
  events.reserve(request.events.size());
  for (const ScheduleRequest::Event& event : request.events) {
    ScheduleReservation::Event& added = events.emplace_back();
    added.facts = {request.topic.id, event.id};
    const auto taken = state.index.FindId(added.facts);
    if (!taken.has_value()) {
      if (state.index.count() >= state.deps.limits.max_events) {
        events.pop_back();
        ReleaseIds(events, state.index);
        const auto wanted = static_cast<int64_t>(request.events.size());
        return LimitExceeded("scheduled events of this server", state.index.count() + wanted,
                             "limits.scheduled_events", state.deps.limits.max_events);
      }
      // By the clock, so that no number of a former life comes again.
      state.last_number = std::max(state.last_number + 1, static_cast<uint64_t>(now_us));
      added.key = {request.due_us, state.last_number};
      state.index.Reserve(added.key.number, added.facts);
      of_frame->insert(added.key.number);
      continue;
    }
    added.duplicate = true;
    added.key.number = taken->number;
    if (taken->durable || of_frame->contains(taken->number)) continue;
    ReleaseIds(events, state.index);
    return BeingScheduled();
  }
  return events;
}

std::vector<RowWrite> RowsOf(const ScheduleRequest& request, int64_t now_us,
                             const ReservedEvents& events) {
  storage::v1::ScheduleRecord record;
  record.set_due_us(request.due_us);
  record.set_topic_id(request.topic.id.value());
  if (request.partition.has_value()) record.set_partition(*request.partition);
  record.set_context(std::string(request.context));
  record.set_scheduled_us(now_us);
  std::vector<RowWrite> rows;
  for (size_t i = 0; i < events.size(); ++i) {
    if (events[i].duplicate) continue;
    record.set_element(std::string(request.events[i].element));
    PutScheduleRows(events[i].key, events[i].facts, record, &rows);
  }
  return rows;
}

}  // namespace

Schedules::Schedules(const Deps& deps) : state_(std::make_shared<ScheduleState>(deps)) {}

Schedules::~Schedules() { state_->Stop(); }

absl::Status Schedules::Load() {
  std::set<TopicId> deleted;
  const auto load = [&](absl::string_view key, absl::string_view value) -> absl::Status {
    ASSIGN_OR_RETURN(const ScheduleIndex::Entry entry, ParseDueRow(key, value));
    const TopicId topic = entry.second.topic;
    if (state_->deps.topics.FindById(topic) == nullptr) deleted.insert(topic);
    MutexLock lock(state_->mu);
    state_->index.Load(entry.first, entry.second);
    state_->last_number = std::max(state_->last_number, entry.first.number);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(VisitRows(state_->deps.engine, Family::kState, kDueRows, load));
  {
    MutexLock lock(state_->mu);
    state_->WaitForNext();
  }
  // Deleted in a run that ended before it had forgotten them.
  for (const TopicId topic : deleted) ForgetTopic(topic);
  return absl::OkStatus();
}

absl::StatusOr<ScheduleReservation> Schedules::Reserve(const ScheduleRequest& request,
                                                       FrameNumbers* of_frame) {
  const int64_t now_us = absl::ToUnixMicros(state_->deps.engine.Now());
  RETURN_IF_ERROR(CheckScheduleTime(request.due_us, now_us));
  ReservedEvents events;
  {
    MutexLock lock(state_->mu);
    ASSIGN_OR_RETURN(events, TakeNumbers(request, now_us, *state_, of_frame));
  }
  std::vector<RowWrite> rows = RowsOf(request, now_us, events);
  return ScheduleReservation(state_, std::move(events), std::move(rows));
}

int64_t Schedules::waiting() const {
  MutexLock lock(state_->mu);
  return state_->index.waiting();
}

int64_t Schedules::delivered() const {
  MutexLock lock(state_->mu);
  return state_->delivered;
}

absl::Duration Schedules::overdue() const {
  const int64_t now_us = absl::ToUnixMicros(state_->deps.engine.Now());
  MutexLock lock(state_->mu);
  const auto oldest = state_->index.After(ScheduleKey(), 1);
  if (oldest.empty()) return absl::ZeroDuration();
  return absl::Microseconds(std::max<int64_t>(0, now_us - oldest.front().first.due_us));
}

}  // namespace acta
