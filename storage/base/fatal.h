#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace acta {

// Where a doubt about durability ends. After Fatal() nothing may be acknowledged any more.
//
// Threads: any; may be called more than once.
class FatalSink {
 public:
  virtual ~FatalSink() = default;
  // In the daemon it does not return: the process exits 70. A recording sink returns, and the
  // caller must stop by itself.
  virtual void Fatal(absl::string_view what) = 0;
};

// Logs and ends the process with status 70, without destructors: a database object that failed
// must not be destroyed.
class ExitFatalSink final : public FatalSink {
 public:
  void Fatal(absl::string_view what) override;
};

// From now on a process that gets no memory for `operator new` ends there, with a line of the log
// and status 70. As an exception it would pass libraries that catch it and go on with what is half
// done.
void EndWithoutMemory();

// Ends the process when an invariant of our own does not hold.
[[noreturn]] void CheckFailed(absl::string_view file, int line, absl::string_view condition);

#define ACTA_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::acta::CheckFailed(__FILE__, __LINE__, #condition))

}  // namespace acta
