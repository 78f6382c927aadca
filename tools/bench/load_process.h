#pragma once

namespace acta::bench {

// What a process that loads a broker sets for itself: memory once used is kept, no search for lock
// cycles (as the broker does), a sleep ends when it is due, a closed socket is an error and not a
// signal. Before the first thread.
void PrepareLoadProcess();

}  // namespace acta::bench
