#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "server/core/schedules/schedule_index.h"
#include "storage/log_engine.h"

namespace acta {

class ScheduleState;

// ScheduleReservation is the events of one scheduled batch between their check and their write.
// Whoever holds it writes its rows and then says Commit(); when it goes without that, nothing of it
// was scheduled.
//
// Threads: one at a time; Commit() may run on the engine's.
class ScheduleReservation {
 public:
  struct Event {
    ScheduleKey key;
    ScheduledFacts facts;
    bool duplicate = false;  // `key.number` is of the schedule that has its id.
  };

  ScheduleReservation(std::shared_ptr<ScheduleState> state, std::vector<Event> events,
                      std::vector<RowWrite> rows);
  ~ScheduleReservation();
  ScheduleReservation(ScheduleReservation&&) = default;
  ScheduleReservation& operator=(ScheduleReservation&&) = delete;

  // By index in the batch.
  const std::vector<Event>& events() const { return events_; }
  // Once.
  std::vector<RowWrite> TakeRows() { return std::move(rows_); }
  // The rows are written as safely as was asked for. Once.
  void Commit();

 private:
  std::shared_ptr<ScheduleState> state_;  // Null: nothing is reserved any more.
  std::vector<Event> events_;
  std::vector<RowWrite> rows_;
};

}  // namespace acta
