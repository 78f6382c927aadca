#pragma once

#include <string>
#include <vector>

#include "tests/crash/queue_history.h"

namespace acta {

// The history, with something in it that did not happen, and the class that has to be found then.
struct QueueHistoryMutant {
  std::string problem;
  QueueHistory history;
};
std::vector<QueueHistoryMutant> MutantsOf(const QueueHistory& history);

}  // namespace acta
