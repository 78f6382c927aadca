#pragma once

#include <vector>

#include "acta/v1/topics.pb.h"
#include "storage/log_engine.h"

namespace acta {

// Appends what the index gets of a stored batch of a topic with this mode: for each id an entry, of
// everything else one for each different text in the batch, at the first event that has it.
void CollectEntries(const LogEngine& engine, const StoredBatch& batch, v1::JourneyMode mode,
                    std::vector<IndexEntry>* out);

}  // namespace acta
