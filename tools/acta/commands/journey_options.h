#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "acta/v1/journeys.pb.h"
#include "tools/acta/app/args.h"
#include "tools/acta/app/command.h"

namespace acta::cli {

// What a journey is asked by.
std::vector<Option> JourneySelectionOptions();
// Errors: usage, when there is none, or more than one.
absl::StatusOr<v1::JourneySelection> ReadJourneySelection(const Args& args);

// "TOPIC/PARTITION/OFFSET", also behind "acta:" with tenant and incarnation, as positions are
// written. Errors: usage.
absl::StatusOr<v1::EventPosition> ParseEventPosition(absl::string_view text);

}  // namespace acta::cli
