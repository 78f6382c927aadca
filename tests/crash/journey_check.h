#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "storage/log_engine.h"
#include "tests/crash/history.h"

namespace acta {

// The broker's own log has what the first `present` transactions appended to it, in their order.
// What is wrong; empty: nothing.
std::string FindLedgerProblem(const LogEngine& engine, const History& history, size_t present);

// What was added to the index in the first so many disk operations is found while its event is
// there, and nothing else under its hash. As above.
std::string FindIndexProblem(const LogEngine& engine, const History& history, size_t operations,
                             const std::map<PartitionId, PartitionExtent>& extents);

}  // namespace acta
