#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "server/exec/executor.h"

namespace acta {

// Runs tasks one at a time, in the order they come: on the thread that brings them when nobody is
// at it just then, else on the one that is.
//
// Threads:   any. A task must not block.
// Ownership: borrows the pool. Copies share the queue.
class Turns {
 public:
  using Task = absl::AnyInvocable<void()>;

  explicit Turns(Executor& pool);

  // Runs the task inside the call, unless another thread or a caller further up is at it: then that
  // one runs it.
  void Run(Task task) const;
  // For threads that must not run it: the pool does, or whoever is at it.
  void Post(Task task) const;

 private:
  struct Queue;
  std::shared_ptr<Queue> queue_;
};

}  // namespace acta
