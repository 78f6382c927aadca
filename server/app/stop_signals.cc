#include "server/app/stop_signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <utility>

#include "storage/base/clock.h"
#include "storage/base/log.h"

namespace acta {
namespace {

sigset_t Signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  return signals;
}

}  // namespace

StopSignals::StopSignals() {
  const sigset_t signals = Signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  watcher_ = std::thread([this] { Watch(); });
}

StopSignals::~StopSignals() {
  {
    MutexLock lock(mu_);
    ending_ = true;
  }
  pthread_kill(watcher_.native_handle(), SIGTERM);
  watcher_.join();
}

void StopSignals::Watch() {
  const sigset_t signals = Signals();
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    bool second = false;
    {
      MutexLock lock(mu_);
      if (ending_) return;
      if (signal == SIGHUP) {
        reload_ = true;
        wake_.SignalAll();
        continue;
      }
      second = asked_;
      asked_ = true;
    }
    if (second) {
      LogWarn("asked twice to stop: ending at once", {{"signal", signal}, {"exit", 1}});
      _exit(1);
    }
    LogInfo("asked to stop", {{"signal", signal}});
    wake_.SignalAll();
  }
}

StopSignals::Asked StopSignals::WaitFor(absl::Duration time) {
  const SystemClock clock;
  const absl::Duration until = clock.SinceBoot() + time;
  MutexLock lock(mu_);
  while (!asked_) {
    if (std::exchange(reload_, false)) return Asked::kReload;
    const absl::Duration left = until - clock.SinceBoot();
    if (left <= absl::ZeroDuration()) return Asked::kNothing;
    wake_.WaitFor(mu_, left);
  }
  return Asked::kStop;
}

}  // namespace acta
