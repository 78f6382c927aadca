#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/crash/image_check.h"
#include "tests/crash/queue_history.h"
#include "tests/crash/queue_store.h"
#include "tests/crash/step_results.h"

namespace acta {

// Holds what an image has of scheduled events against the history: each of them waits, or is in the
// log once and was not appended before it was due, or is cancelled, as the decisions said before
// the fault lead to, whatever was answered among them.
//
// Classes: lost-schedule, doubled-schedule, wrong-schedule (its time, or nobody scheduled it).
class ScheduleCheck {
 public:
  // Borrows all but the cut.
  ScheduleCheck(const QueueHistory& history, const ImageCut& cut, QueueStore& store)
      : history_(history), cut_(cut), store_(store) {}

  // Before any time passes. Returns what it found, as a text.
  std::string Look(TellProblem problem);
  // Behind the times of all of them: each that waited was appended, once, in the order of the
  // times.
  void LookDelivered(TellProblem problem);

 private:
  struct Found {
    std::vector<int64_t> due_us;     // Of rows.
    std::vector<int64_t> append_us;  // Of events in the log.
  };
  using AllFound = std::map<int64_t, Found>;
  struct Appended {
    int64_t event = 0;
    int64_t time_us = 0;
  };

  absl::StatusOr<AllFound> Find();
  absl::Status FindWaiting(AllFound* found);
  absl::StatusOr<std::vector<Appended>> ReadLog(int32_t partition);
  void CheckOne(int64_t event, const Found& found, const std::vector<const ScheduleDecision*>& said,
                TellProblem problem);
  void CheckOrder(TellProblem problem);

  const QueueHistory& history_;
  const ImageCut cut_;
  QueueStore& store_;
  AllFound first_;  // What the image had.
};

}  // namespace acta
