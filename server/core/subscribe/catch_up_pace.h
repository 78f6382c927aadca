#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/log_engine.h"

namespace acta {

// CatchUpPace keeps streams that read the past from the disk from making those wait that publish
// and follow. While events are appended, reads from the disk are small and together not faster than
// a rate: never less than twice that of the appends, so that catching up ends. Else they are large
// and wait for nothing.
//
// Threads: any.
class CatchUpPace {
 public:
  // How a read is done.
  struct Turn {
    size_t bytes = 0;
    absl::Duration wait;  // Before it.
  };

  // `bytes_per_second` 0: nothing is held back.
  CatchUpPace(const LogEngine& engine, const Clock& clock, int64_t bytes_per_second);

  // The next read, which counts from now on.
  Turn Next();
  // A read brought more than its turn allowed, as a large batch does.
  void Also(size_t bytes);

 private:
  void Look(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Duration TimeOf(size_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const LogEngine& engine_;
  const Clock& clock_;
  const double limit_;
  Mutex mu_;
  absl::Duration looked_ ABSL_GUARDED_BY(mu_);     // When the appends were counted.
  int64_t appended_ ABSL_GUARDED_BY(mu_) = 0;      // Bytes by then.
  double rate_ ABSL_GUARDED_BY(mu_) = 0;           // Bytes a second; 0: nothing is appended.
  absl::Duration next_free_ ABSL_GUARDED_BY(mu_);  // When the next read may begin.
};

}  // namespace acta
