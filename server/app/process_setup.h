#pragma once

#include <cstdint>

#include "server/core/admin/limits_table.h"

namespace acta {

// Keeps the allocator from giving memory back and asking for it again: fresh pages cost more than
// the work done in them. Before the first thread.
void TuneAllocator();

// Raises the limit on descriptors to what is allowed, and lowers the limit on connections, with a
// warning, to what then fits.
void FitDescriptors(ConnectionLimits* limits);

// The connections that `descriptors` are enough for, at most `wanted`.
int64_t ConnectionsThatFit(int64_t descriptors, int64_t wanted);

}  // namespace acta
