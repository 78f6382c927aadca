#pragma once

#include <vector>

#include "tests/oracle/queue_checker.h"
#include "tests/oracle/queue_facts.h"

namespace acta::oracle {

// Holds what each session was given, in the order in which it was given, against what it had been
// given and had settled before. `events` have their leases by time. In linear time.
void CheckSessions(const std::vector<QueueRecord>& history, const QueueEvents& events,
                   const QueueGroups& groups, QueueReport* report);

}  // namespace acta::oracle
