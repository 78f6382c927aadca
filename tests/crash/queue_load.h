#pragma once

#include "absl/status/statusor.h"
#include "tests/crash/crash_load.h"
#include "tests/crash/queue_history.h"

namespace acta {

// Runs QUEUE groups on a new store (kQueueGroups): events with and without keys, members that
// acknowledge in no order, fail, reject, release, leave and break, dead letters that are redriven,
// discarded and replaced, steps that settle events, or fail, events that are scheduled, waits of
// minutes and hours, slices that go with events that are still needed, and a clean restart in the
// middle.
absl::StatusOr<QueueHistory> RunQueueCrashLoad(const CrashLoadOptions& options);

}  // namespace acta
