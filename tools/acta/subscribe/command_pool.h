#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "tools/acta/subscribe/shell_command.h"

namespace acta::cli {

// Runs commands for events, several at once.
//
// Threads:   all methods from one; `ended` runs on threads of the pool.
// Ownership: borrows the clock.
class CommandPool {
 public:
  using Ended = std::function<void(const EventPlace& place, const absl::StatusOr<CommandEnd>& end)>;

  CommandPool(int size, Ended ended, const Clock& clock);
  ~CommandPool();  // Waits for the commands.
  CommandPool(const CommandPool&) = delete;
  CommandPool& operator=(const CommandPool&) = delete;

  // There is room for it: WaitForRoom() was true.
  void Run(const EventPlace& place, ShellCommand command);
  // False: after this time as many commands as may be are still running.
  bool WaitForRoom(absl::Duration timeout) { return WaitForFewer(size_, timeout); }
  // False: after this time a command is still running.
  bool WaitUntilIdle(absl::Duration timeout) { return WaitForFewer(1, timeout); }

 private:
  void Loop();
  bool WaitForFewer(int count, absl::Duration timeout);

  const int size_;
  const Ended ended_;
  const Clock& clock_;
  Mutex mu_;  // Leaf.
  CondVar changed_;
  std::deque<std::pair<EventPlace, ShellCommand>> commands_ ABSL_GUARDED_BY(mu_);  // To be begun.
  int running_ ABSL_GUARDED_BY(mu_) = 0;  // And to be begun.
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace acta::cli
