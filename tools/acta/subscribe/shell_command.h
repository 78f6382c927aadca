#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "acta/v1/event.pb.h"
#include "tools/acta/events/event_text.h"

namespace acta::cli {

// Runs `command` with the shell for one event and waits for it: `input` is its standard input;
// ACTA_TOPIC, ACTA_PARTITION, ACTA_OFFSET, ACTA_ID, ACTA_KEY and ACTA_TYPE are in its environment.
//
// Errors: an exit code other than 0, a signal, or that it could not be started.
absl::Status RunShellCommand(const std::string& command, absl::string_view input,
                             const v1::Event& event, const EventPlace& place);

}  // namespace acta::cli
