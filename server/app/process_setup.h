#pragma once

#include <cstdint>

#include "server/core/admin/limits_table.h"

namespace acta {

// Keeps the allocator from giving memory back and asking for it again: fresh pages cost more than
// the work done in them. Before the first thread.
void TuneAllocator();

// Turns off the search for lock cycles in which the packaged absl::Mutex, and with it gRPC, spends
// 3 % of a broker under load with small calls. Before the first thread.
void TuneLocks();

// Raises the limit on descriptors to what is allowed, and lowers the limit on connections, with a
// warning, to what then fits.
void FitDescriptors(ConnectionLimits* limits);

// The connections that `descriptors` are enough for, at most `wanted`.
int64_t ConnectionsThatFit(int64_t descriptors, int64_t wanted);

}  // namespace acta
