#pragma once

#include <vector>

#include "absl/types/span.h"
#include "server/exec/executor.h"
#include "storage/log_engine.h"

namespace acta {

// The batches that hold these places, by position, several read at once: by the caller, and by
// threads of the pool as far as some have time now. Null: it could not be read. Blocks on the disk,
// and not for what the pool has to do besides.
std::vector<BatchPtr> ReadBatches(const LogEngine& engine, Executor& pool,
                                  absl::Span<const IndexPlace> places);

}  // namespace acta
