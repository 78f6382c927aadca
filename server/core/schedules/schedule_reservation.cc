#include "server/core/schedules/schedule_reservation.h"

#include <utility>

#include "server/core/schedules/schedule_state.h"

namespace acta {

ScheduleReservation::ScheduleReservation(std::shared_ptr<ScheduleState> state,
                                         std::vector<Event> events, std::vector<RowWrite> rows)
    : state_(std::move(state)), events_(std::move(events)), rows_(std::move(rows)) {}

ScheduleReservation::~ScheduleReservation() {
  if (state_ == nullptr) return;
  MutexLock lock(state_->mu);
  for (const Event& event : events_) {
    if (!event.duplicate) state_->index.Release(event.facts);
  }
}

void ScheduleReservation::Commit() {
  const std::shared_ptr<ScheduleState> state = std::move(state_);
  {
    MutexLock lock(state->mu);
    for (const Event& event : events_) {
      if (!event.duplicate) state->index.Add(event.key, event.facts);
    }
    state->WaitForNext();
  }
  if (!events_.empty()) state->ForgetIfDeleted(events_.front().facts.topic);
}

}  // namespace acta
