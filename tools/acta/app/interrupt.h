#pragma once

namespace acta::cli {

// The first Ctrl-C or SIGTERM is noted and ends a command in good order, the second the program.
// The first also ends a call that blocks in the kernel (EINTR).
void StopOnSignals();
// The same with Ctrl-C alone.
void StopOnCtrlC();
bool Interrupted();

// Whoever read the output is gone: `acta subscribe orders | head -1`.
bool OutputIsClosed();

}  // namespace acta::cli
