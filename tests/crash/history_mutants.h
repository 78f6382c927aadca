#pragma once

#include <string>
#include <vector>

#include "tests/crash/history.h"

namespace acta {

// A history that is not what happened: held against an honest image it looks like an engine that
// broke a promise, and the check has to say which.
struct HistoryMutant {
  std::string problem;  // The class that has to be found.
  History history;
};

// One of each kind; `history` is a whole run of RunCrashLoad().
std::vector<HistoryMutant> MutantsOf(const History& history);

}  // namespace acta
