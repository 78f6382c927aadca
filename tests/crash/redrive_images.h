#pragma once

#include <string>

#include "absl/status/status.h"
#include "acta/v1/dead_letters.pb.h"
#include "tests/crash/queue_store.h"

namespace acta {

// Redrives these dead or held letters one after the other, each in a write of its own, until the
// redrive has ended. Errors: INTERNAL when one of them was not redriven.
absl::Status RedriveAtRate(QueueStore& store, const std::string& group,
                           const v1::DeadLetterSelection& letters);

// In what a redrive that runs does not agree with the group's dead letters and held events: one
// that it counts is none any more, and the others are. Empty: in nothing. The redrive is cancelled.
std::string CheckRunningRedrive(QueueStore& store, const std::string& group);

}  // namespace acta
