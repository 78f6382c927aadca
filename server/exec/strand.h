#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "server/exec/executor.h"

namespace acta {

// Runs its tasks on another executor, one at a time, in the order posted.
//
// Threads:   any.
// Ownership: borrows the executor. The strand may go before its tasks have run: they still run.
class Strand final : public Executor {
 public:
  explicit Strand(Executor& executor);
  ~Strand() override;
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;

  void Post(absl::AnyInvocable<void()> task) override;

 private:
  struct Queue;
  const std::shared_ptr<Queue> queue_;
};

}  // namespace acta
