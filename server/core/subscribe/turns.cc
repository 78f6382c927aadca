#include "server/core/subscribe/turns.h"

#include <deque>
#include <utility>

#include "storage/base/mutex.h"

namespace acta {
namespace {

// After so many tasks in a row the thread goes back to whose it is.
constexpr int kTasksInARow = 64;

}  // namespace

struct Turns::Queue {
  explicit Queue(Executor& to) : pool(to) {}

  // True: nobody is at it, and the caller has to see to it that Drain() runs.
  bool Add(Task task) {
    MutexLock lock(mu);
    tasks.push_back(std::move(task));
    if (active) return false;
    active = true;
    return true;
  }

  static void Drain(const std::shared_ptr<Queue>& queue) {
    for (int i = 0; i < kTasksInARow; ++i) {
      Task task;
      {
        MutexLock lock(queue->mu);
        if (queue->tasks.empty()) {
          queue->active = false;
          return;
        }
        task = std::move(queue->tasks.front());
        queue->tasks.pop_front();
      }
      std::move(task)();
    }
    queue->pool.Post([queue] { Drain(queue); });
  }

  Executor& pool;
  Mutex mu;  // Leaf.
  bool active ABSL_GUARDED_BY(mu) = false;
  std::deque<Task> tasks ABSL_GUARDED_BY(mu);
};

Turns::Turns(Executor& pool) : queue_(std::make_shared<Queue>(pool)) {}

void Turns::Run(Task task) const {
  const std::shared_ptr<Queue> queue = queue_;  // The task may end whoever holds us.
  if (queue->Add(std::move(task))) Queue::Drain(queue);
}

void Turns::Post(Task task) const {
  if (!queue_->Add(std::move(task))) return;
  queue_->pool.Post([queue = queue_] { Queue::Drain(queue); });
}

}  // namespace acta
