#include "storage/base/fatal.h"

#include <unistd.h>

#include <cstdlib>

#include "storage/base/log.h"

namespace acta {

void ExitFatalSink::Fatal(absl::string_view what) {
  LogError("stopping: durability is in doubt", {{"cause", what}, {"exit", 70}});
  _exit(70);
}

void CheckFailed(absl::string_view file, int line, absl::string_view condition) {
  LogError("invariant broken", {{"file", file}, {"line", line}, {"condition", condition}});
  std::abort();
}

}  // namespace acta
