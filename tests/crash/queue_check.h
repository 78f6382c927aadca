#pragma once

#include <string>

#include "tests/crash/image_check.h"
#include "tests/crash/queue_history.h"
#include "tests/crash/torn_engine.h"

namespace acta {

// Opens the data folder `image` with its groups and holds it against the history: every event is in
// exactly one state (processed, outstanding, parked, held, dead letter), in the one that the
// decisions said before the fault lead to, whatever was answered among them; what waits and what is
// dead can be read, from the log or from the copy that its group kept, with all attempts that
// failed; a reset of a group has happened to all of it or to nothing; what the groups say of
// themselves agrees; what steps wrote is in the log once, and agrees with the state of their events
// (step_results.h); scheduled events agree with theirs (schedule_check.h), and so do the positions
// of the STREAM group (stream_check.h). With `go_on` members then repeat steps, which counts for
// those that did not happen and is refused for others, and process all that is outstanding: each
// event comes once, with its next attempt, and never one that is not (queue_go_on.h).
//
// Classes: two-states, outstanding-again (answered, and there again), lost-delivery (passed, and
// nobody settled it), wrong-dead-letter, wrong-attempts, wrong-due, wrong-hold (held by nobody's
// failure), lost-hold, left-over (attempts of an event that is processed), lost-reset, wrong-reset,
// torn-reset, unreadable, wrong-counts, lost-group, refused; torn-step (its results and the states
// of its events do not agree), and those of the other headers.
//
// `tear`: what those who read rows for the groups do to them. It changes the image, and what was
// opened stays open: one call a process.
ImageReport CheckQueueImage(const QueueHistory& history, const ImageCut& cut,
                            const std::string& image, bool go_on, StepTear tear = StepTear::kNone);

}  // namespace acta
