#pragma once

#include <thread>

#include "absl/time/time.h"
#include "storage/base/mutex.h"

namespace acta {

// SIGTERM and SIGINT: the first asks for a graceful stop, the second ends the process at once with
// status 1. SIGHUP asks for the configuration to be read again. SIGPIPE is ignored.
//
// Threads: any. Made before any other thread, so that all of them leave the signals to this one.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  enum class Asked { kNothing, kReload, kStop };
  // What was asked for within the time. A reload is told once.
  Asked WaitFor(absl::Duration time);

 private:
  void Watch();

  Mutex mu_;  // Leaf.
  CondVar wake_;
  bool asked_ ABSL_GUARDED_BY(mu_) = false;
  bool reload_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread watcher_;
};

}  // namespace acta
