#pragma once

#include "tests/oracle/queue_checker.h"
#include "tests/oracle/queue_facts.h"

namespace acta::oracle {

// Holds the events of each key against the order of their group, and against what is held there.
void CheckKeys(const QueueEvents& events, const QueueGroups& groups, QueueReport* report);

}  // namespace acta::oracle
