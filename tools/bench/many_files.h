#pragma once

namespace acta::bench {

// Raises the limit of open files to the highest that is allowed: every connection is one.
void AllowManyFiles();

}  // namespace acta::bench
