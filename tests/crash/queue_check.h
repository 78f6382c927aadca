#pragma once

#include <string>

#include "tests/crash/image_check.h"
#include "tests/crash/queue_history.h"

namespace acta {

// Opens the data folder `image` with its groups and holds it against the history: every event is in
// exactly one state (processed, outstanding, parked, dead letter), in the one that the decisions
// said before the fault lead to, whatever was answered among them; what waits and what is dead can
// be read, from the log or from the copy that its group kept; what the groups say of themselves
// agrees; what steps wrote is in the log once, and agrees with the state of their events
// (step_results.h); scheduled events agree with theirs (schedule_check.h). With `go_on` members
// then repeat steps, which counts for those that did not happen and is refused for others, and
// process all that is outstanding: each event comes once, with its next attempt, and never one that
// is not.
//
// Classes: two-states, outstanding-again (answered, and there again), lost-delivery (passed, and
// nobody settled it), wrong-dead-letter, wrong-attempts, wrong-due, unreadable, wrong-counts,
// lost-group, refused, goes-on; torn-step (its results and the states of its events do not agree),
// and those of step_results.h and schedule_check.h.
//
// It changes the image, and what was opened stays open: one call a process.
ImageReport CheckQueueImage(const QueueHistory& history, const ImageCut& cut,
                            const std::string& image, bool go_on);

}  // namespace acta
