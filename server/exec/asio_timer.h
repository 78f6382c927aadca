#pragma once

#include <cstdint>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "server/exec/executor.h"

namespace acta {

// A timer with a thread of its own that only waits: tasks run on the executor.
//
// Threads:   After() and Cancel() any; Stop() and the destructor not from a task.
// Ownership: borrows the executor, which must outlive it.
class AsioTimer final : public Timer {
 public:
  explicit AsioTimer(Executor& executor);
  ~AsioTimer() override;  // Stops.
  AsioTimer(const AsioTimer&) = delete;
  AsioTimer& operator=(const AsioTimer&) = delete;

  // At once when `delay` is not above zero. After Stop() the task is dropped and 0 returned.
  uint64_t After(absl::Duration delay, absl::AnyInvocable<void()> task) override;
  void Cancel(uint64_t number) override;

  // Drops what still waits and joins the thread.
  void Stop();

 private:
  struct Core;  // Keeps Asio out of this header.
  const std::unique_ptr<Core> core_;
};

}  // namespace acta
