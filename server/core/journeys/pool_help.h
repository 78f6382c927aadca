#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/journeys/journey_indexer.h"
#include "server/exec/executor.h"
#include "storage/layout/index_block.h"

namespace acta {

// Runs work(0) to work(count - 1), each once, several at a time: by the caller, and by threads of
// the pool as far as some have time now. It does not wait for what the pool has to do besides.
void RunWithHelp(Executor& pool, size_t count, std::function<void(size_t)> work);

// As JourneyIndexer::Find(), into IndexPlaces(least, most). Blocks.
absl::StatusOr<IndexPlaces> FindPlaces(const JourneyIndexer& indexer, Executor& pool,
                                       std::vector<uint64_t> hashes, IndexPlace least, size_t most);

}  // namespace acta
