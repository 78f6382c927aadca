#include "server/exec/strand.h"

#include <deque>
#include <utility>

#include "storage/base/mutex.h"

namespace acta {
namespace {

// After so many tasks in a row others of the executor get their turn.
constexpr int kTurn = 32;

}  // namespace

struct Strand::Queue {
  explicit Queue(Executor& to) : executor(to) {}

  // Only one Run() is posted or running while `active`.
  static void Run(const std::shared_ptr<Queue>& queue) {
    for (int i = 0; i < kTurn; ++i) {
      absl::AnyInvocable<void()> task;
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
    queue->executor.Post([queue] { Run(queue); });
  }

  Executor& executor;
  Mutex mu;
  bool active ABSL_GUARDED_BY(mu) = false;
  std::deque<absl::AnyInvocable<void()>> tasks ABSL_GUARDED_BY(mu);
};

Strand::Strand(Executor& executor) : queue_(std::make_shared<Queue>(executor)) {}
Strand::~Strand() = default;

void Strand::Post(absl::AnyInvocable<void()> task) {
  {
    MutexLock lock(queue_->mu);
    queue_->tasks.push_back(std::move(task));
    if (queue_->active) return;
    queue_->active = true;
  }
  queue_->executor.Post([queue = queue_] { Queue::Run(queue); });
}

}  // namespace acta
