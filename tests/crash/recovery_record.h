#pragma once

#include <string>

#include "absl/status/status.h"
#include "tests/crash/history.h"
#include "tests/crash/image_check.h"

namespace acta {

// Opens the data folder `image` over a disk that records, with its topics, and with `stop` also
// stops it in good order: a power may be cut at any moment of that too. The record goes into the
// file `record`. What is there already is what was done before, not all of it synced; else the
// folder as it is counts as synced. `start`: operations before the recovery.
//
// What was opened stays open: one call a process.
absl::Status RecordRecovery(const History& history, const ImageCut& cut, const std::string& image,
                            const std::string& record, bool stop, size_t* start);

}  // namespace acta
