#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "server/exec/executor.h"
#include "storage/base/mutex.h"

namespace acta {

// An executor whose tasks run when the test says so, on the test's thread, in the order posted.
//
// Threads: Post() and pending() any.
class SteppedExecutor final : public Executor {
 public:
  void Post(absl::AnyInvocable<void()> task) override;
  // False when there was none.
  bool RunOne();
  // Also runs what the tasks post. Returns how many ran.
  size_t RunAll();
  size_t pending() const;
  // The task that is next comes last: on several threads that happens. There must be one.
  void PutOff();

 private:
  mutable Mutex mu_;
  std::deque<absl::AnyInvocable<void()>> tasks_ ABSL_GUARDED_BY(mu_);
};

// A timer whose time passes when the test says so.
//
// Threads: After(), Cancel() and waiting() any.
class SteppedTimer final : public Timer {
 public:
  // Tasks run inside Advance().
  SteppedTimer() = default;
  // Tasks are posted there.
  explicit SteppedTimer(Executor& executor) : executor_(&executor) {}

  uint64_t After(absl::Duration delay, absl::AnyInvocable<void()> task) override;
  void Cancel(uint64_t number) override;

  // Tasks come due in order of time, each at its own moment: what it starts counts from there.
  void Advance(absl::Duration by);
  size_t waiting() const;

 private:
  using Key = std::pair<absl::Duration, uint64_t>;  // Due, number.

  // False when nothing is due at `until`, which the time then is.
  bool TakeDue(absl::Duration until, absl::AnyInvocable<void()>* task);

  Executor* const executor_ = nullptr;
  mutable Mutex mu_;
  absl::Duration now_ ABSL_GUARDED_BY(mu_);
  uint64_t next_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<Key, absl::AnyInvocable<void()>> tasks_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
