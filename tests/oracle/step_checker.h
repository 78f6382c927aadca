#pragma once

#include <vector>

#include "tests/oracle/queue_checker.h"
#include "tests/oracle/queue_records.h"

namespace acta::oracle {

// Holds steps against the results that are there in the end, and adds what is torn. A step that was
// not answered happened if its result is there: it becomes kOk in the history, else kFail, so that
// the other checks see whether its event was settled then. Linear in the records.
void CheckSteps(std::vector<QueueRecord>* history, QueueReport* report);

}  // namespace acta::oracle
