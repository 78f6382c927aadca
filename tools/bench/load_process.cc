#include "tools/bench/load_process.h"

#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>

#include "absl/synchronization/mutex.h"

namespace acta::bench {

void PrepareLoadProcess() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  prctl(PR_SET_TIMERSLACK, 1UL);
  signal(SIGPIPE, SIG_IGN);
}

}  // namespace acta::bench
