#pragma once

#include "acta/v1/subscriber.pb.h"
#include "tools/acta/subscribe/shell_command.h"

namespace acta::cli {

// What becomes of an event by how its command ended: 0 acks, 75 (EX_TEMPFAIL) nacks, 65
// (EX_DATAERR) rejects, 126 and 127 (it cannot be run) release, everything else nacks with the
// reason `exit-N` or `signal-N`. The text is the last line of the command's standard error. Only
// kind, reason and text are set.
v1::Settlement VerdictOf(const CommandEnd& end);

}  // namespace acta::cli
