#pragma once

#include "absl/status/statusor.h"
#include "tests/crash/crash_load.h"
#include "tests/crash/queue_history.h"

namespace acta {

// Runs QUEUE groups on a new store (kQueueGroups), and beside them a STREAM group: events with and
// without keys, members that acknowledge in no order, fail, reject, release, leave and break, what
// operators decide (operator_load.h), steps that settle events, or fail, events that are scheduled,
// what members of a stream do (stream_load.h), waits of minutes and hours, slices that go with
// events that are still needed, and a clean restart in the middle.
absl::StatusOr<QueueHistory> RunQueueCrashLoad(const CrashLoadOptions& options);

}  // namespace acta
