#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "acta/storage/v1/records.pb.h"
#include "acta/v1/topics.pb.h"
#include "storage/base/ids.h"
#include "storage/log_engine.h"

namespace acta {

// How far the index of journeys is in a partition: what is kept of it, and what it is worth to a
// later life. Pure but for questions to the engine.

storage::v1::IndexedRecord MakeIndexPosition(const LogEngine& engine, Offset offset,
                                             v1::JourneyMode mode);
// Errors: DATA_CORRUPTED.
absl::StatusOr<storage::v1::IndexedRecord> ParseIndexPosition(const std::string& value);

// What was looked at in the one mode has not all that the other is to find.
bool FindsMore(v1::JourneyMode wanted, v1::JourneyMode looked_at);

// From where on a partition is to be looked at for this mode; a log that was cut since begins anew
// where it was cut.
Offset WhereToGoOn(const LogEngine& engine, PartitionId partition,
                   const storage::v1::IndexedRecord& record, v1::JourneyMode mode);

}  // namespace acta
