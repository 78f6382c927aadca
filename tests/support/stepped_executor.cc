#include "tests/support/stepped_executor.h"

#include <algorithm>

namespace acta {

void SteppedExecutor::Post(absl::AnyInvocable<void()> task) {
  MutexLock lock(mu_);
  tasks_.push_back(std::move(task));
}

bool SteppedExecutor::RunOne() {
  absl::AnyInvocable<void()> task;
  {
    MutexLock lock(mu_);
    if (tasks_.empty()) return false;
    task = std::move(tasks_.front());
    tasks_.pop_front();
  }
  std::move(task)();
  return true;
}

size_t SteppedExecutor::RunAll() {
  size_t count = 0;
  while (RunOne()) ++count;
  return count;
}

void SteppedExecutor::PutOff() {
  MutexLock lock(mu_);
  absl::AnyInvocable<void()> task = std::move(tasks_.front());
  tasks_.pop_front();
  tasks_.push_back(std::move(task));
}

size_t SteppedExecutor::pending() const {
  MutexLock lock(mu_);
  return tasks_.size();
}

uint64_t SteppedTimer::After(absl::Duration delay, absl::AnyInvocable<void()> task) {
  MutexLock lock(mu_);
  const uint64_t number = next_++;
  tasks_.emplace(Key(now_ + std::max(delay, absl::ZeroDuration()), number), std::move(task));
  return number;
}

void SteppedTimer::Cancel(uint64_t number) {
  absl::AnyInvocable<void()> dropped;  // Destroyed after the lock.
  MutexLock lock(mu_);
  const auto it = std::find_if(tasks_.begin(), tasks_.end(),
                               [number](const auto& task) { return task.first.second == number; });
  if (it == tasks_.end()) return;
  dropped = std::move(it->second);
  tasks_.erase(it);
}

void SteppedTimer::Advance(absl::Duration by) {
  absl::Duration until;
  {
    MutexLock lock(mu_);
    until = now_ + by;
  }
  for (absl::AnyInvocable<void()> task; TakeDue(until, &task);) {
    if (executor_ != nullptr) {
      executor_->Post(std::move(task));
    } else {
      std::move(task)();
    }
  }
}

bool SteppedTimer::TakeDue(absl::Duration until, absl::AnyInvocable<void()>* task) {
  MutexLock lock(mu_);
  const auto first = tasks_.begin();
  if (first == tasks_.end() || first->first.first > until) {
    now_ = std::max(now_, until);
    return false;
  }
  now_ = std::max(now_, first->first.first);
  *task = std::move(first->second);
  tasks_.erase(first);
  return true;
}

size_t SteppedTimer::waiting() const {
  MutexLock lock(mu_);
  return tasks_.size();
}

}  // namespace acta
