#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "tests/oracle/load.h"

namespace acta::oracle {

// Reads without a group, from the first offset on, until told to stop. The client connects again by
// itself and goes on exactly behind the last event: one session. When retention has overtaken it in
// all partitions it begins anew, as another session.
absl::Status RunReader(const LoadContext& load, int32_t reader);

// Notes again and again where the partitions begin and end, until told to stop.
absl::Status RunWatcher(const LoadContext& load);

// A member of the group, on the bare stream: notes where it starts, what it is given, and which
// commits were confirmed. Leaves and joins again from time to time. After the stop it goes on until
// the group has confirmed all of the log.
absl::Status RunMember(const LoadContext& load, int32_t reader);

// What the log holds, read page by page, in the history "final".
absl::Status WriteFinal(const LoadContext& load);

// True when the group's positions are at the ends of all partitions.
bool GroupAtEnd(const LoadContext& load);

}  // namespace acta::oracle
