#pragma once

#include "absl/strings/string_view.h"

namespace acta {

// Tells the supervisor that started us (systemd's NOTIFY_SOCKET) of a state: "READY=1",
// "STOPPING=1". Does nothing without one.
void NotifySupervisor(absl::string_view state);

}  // namespace acta
