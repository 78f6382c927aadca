#pragma once

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

namespace acta {

// Runs tasks on some thread, soon. Post() never runs the task inside the call and never blocks.
//
// Threads: any.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void Post(absl::AnyInvocable<void()> task) = 0;
};

// Runs a task once, later, on the executor it was made with.
//
// Threads: any.
class Timer {
 public:
  virtual ~Timer() = default;
  // Returns a number for Cancel().
  virtual uint64_t After(absl::Duration delay, absl::AnyInvocable<void()> task) = 0;
  // The task will not start any more; it may be running.
  virtual void Cancel(uint64_t number) = 0;
};

}  // namespace acta
