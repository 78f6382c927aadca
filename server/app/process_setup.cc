#include "server/app/process_setup.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>

#include "absl/synchronization/mutex.h"
#include "storage/base/log.h"

namespace acta {
namespace {

// Table and log files of the database (rocks_options.cc), HTTP, and some for everything else.
constexpr int64_t kDescriptorsOfOurOwn = 3072;
// Its socket, and the duplicate by which the listener can cut it.
constexpr int64_t kDescriptorsPerConnection = 2;
constexpr int64_t kLeastConnections = 16;

}  // namespace

void TuneAllocator() {
  // Measured: memtables and buffers otherwise fault in fresh pages for ever (10-25 %).
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  // Each arena keeps what was once used in it.
  mallopt(M_ARENA_MAX, 4);
}

void TuneLocks() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

int64_t ConnectionsThatFit(int64_t descriptors, int64_t wanted) {
  const int64_t room = (descriptors - kDescriptorsOfOurOwn) / kDescriptorsPerConnection;
  return std::min(wanted, std::max(kLeastConnections, room));
}

void FitDescriptors(ConnectionLimits* limits) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  const rlim_t before = files.rlim_cur;
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) files.rlim_cur = before;
  const int64_t wanted = limits->max_connections;
  const auto allowed = static_cast<int64_t>(std::min<rlim_t>(files.rlim_cur, INT32_MAX));
  limits->max_connections = ConnectionsThatFit(allowed, wanted);
  if (limits->max_connections == wanted) return;
  LogWarn(
      "fewer connections than configured: the limit on open files is too low",
      {{"open_files", allowed}, {"configured", wanted}, {"connections", limits->max_connections}});
}

}  // namespace acta
