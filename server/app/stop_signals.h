#pragma once

#include <thread>

#include "absl/time/time.h"
#include "storage/base/mutex.h"

namespace acta {

// SIGTERM and SIGINT: the first asks for a graceful stop, the second ends the process at once with
// status 1. SIGPIPE is ignored.
//
// Threads: any. Made before any other thread, so that all of them leave the signals to this one.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // True when a stop was asked for within the time.
  bool WaitFor(absl::Duration time);

 private:
  void Watch();

  Mutex mu_;  // Leaf.
  CondVar wake_;
  bool asked_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread watcher_;
};

}  // namespace acta
