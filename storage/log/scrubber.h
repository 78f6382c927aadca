#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/base/clock.h"
#include "storage/log/log_reader.h"
#include "storage/log/log_table.h"
#include "storage/log_engine.h"

namespace acta {

// Reads stored batches and checks their checksums, partition by partition, from where its token
// ended, each up to where it ended when it was begun. What retention takes meanwhile, and topics
// that are deleted, are passed over.
// A page gets on however short the budget is: at least one read, or one problem.
// Threads: any; blocks for about the budget. Errors: INVALID_ARGUMENT for a foreign token.
absl::StatusOr<ScrubPage> ScrubLog(const LogTable& table, const LogReader& reader,
                                   const Clock& clock, const ScrubOrder& order);

}  // namespace acta
