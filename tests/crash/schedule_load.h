#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>

#include "absl/status/status.h"
#include "tests/crash/queue_history.h"
#include "tests/crash/queue_store.h"
#include "tests/support/faulty_disk.h"

namespace acta {

// Publishes events for later, and moves and cancels some, beside the rest of a load.
class ScheduleLoad {
 public:
  // Borrows all of it.
  ScheduleLoad(QueueStore& store, const FaultyDisk& disk, QueueHistory& history,
               std::mt19937_64& random)
      : store_(store), disk_(disk), history_(history), random_(random) {}

  absl::Status Step();

 private:
  uint64_t Random(uint64_t below) { return random_() % below; }
  int64_t DrawDue();
  absl::Status Schedule();
  absl::Status Change();

  QueueStore& store_;
  const FaultyDisk& disk_;
  QueueHistory& history_;
  std::mt19937_64& random_;
  int64_t next_ = 0;                        // Number of the next event.
  std::map<int64_t, std::string> waiting_;  // Schedule ids of those that may wait, by number.
};

}  // namespace acta
