#include "storage/base/fatal.h"

#include <unistd.h>

#include <cstdlib>
#include <new>

#include "storage/base/log.h"

namespace acta {
namespace {

[[noreturn]] void NoMemory() {
  LogEnd("stopping: no memory is left", 70);
  _exit(70);
}

}  // namespace

void ExitFatalSink::Fatal(absl::string_view what) {
  LogError("stopping: durability is in doubt", {{"cause", what}, {"exit", 70}});
  _exit(70);
}

void EndWithoutMemory() { std::set_new_handler(NoMemory); }

void CheckFailed(absl::string_view file, int line, absl::string_view condition) {
  LogError("invariant broken", {{"file", file}, {"line", line}, {"condition", condition}});
  std::abort();
}

}  // namespace acta
