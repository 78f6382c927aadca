#pragma once

namespace acta {

// The first file or socket would get the number of a standard stream that is closed: what is
// printed or logged went into it, and what it says was read as input. In its place stands what
// fails as the closed one does. What a library opened when it was loaded is closed by exec(), as no
// stream is that a program was given.
//
// Threads: called first in main(), before there are others.
void OccupyStandardStreams();

}  // namespace acta
