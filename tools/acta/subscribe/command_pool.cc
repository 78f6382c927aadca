#include "tools/acta/subscribe/command_pool.h"

namespace acta::cli {

CommandPool::CommandPool(int size, Ended ended, const Clock& clock)
    : size_(size), ended_(std::move(ended)), clock_(clock) {
  for (int i = 0; i < size; ++i) threads_.emplace_back([this] { Loop(); });
}

CommandPool::~CommandPool() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    changed_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

void CommandPool::Run(const EventPlace& place, ShellCommand command) {
  MutexLock lock(mu_);
  commands_.emplace_back(place, std::move(command));
  ++running_;
  changed_.SignalAll();
}

bool CommandPool::WaitForFewer(int count, absl::Duration timeout) {
  const absl::Duration deadline = clock_.SinceBoot() + timeout;
  MutexLock lock(mu_);
  while (running_ >= count) {
    const absl::Duration rest = deadline - clock_.SinceBoot();
    if (rest <= absl::ZeroDuration()) return false;
    changed_.WaitFor(mu_, rest);
  }
  return true;
}

void CommandPool::Loop() {
  while (true) {
    std::pair<EventPlace, ShellCommand> next;
    {
      MutexLock lock(mu_);
      while (commands_.empty() && !stopping_) changed_.Wait(mu_);
      if (commands_.empty()) return;
      next = std::move(commands_.front());
      commands_.pop_front();
    }
    ended_(next.first, RunShell(next.second));
    MutexLock lock(mu_);
    --running_;
    changed_.SignalAll();
  }
}

}  // namespace acta::cli
