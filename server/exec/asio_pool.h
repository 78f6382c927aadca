#pragma once

#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "server/exec/executor.h"

namespace acta {

// A pool of threads that run tasks in the order posted, several at a time.
//
// Threads: Post() any; Stop() and the destructor not from a task.
class AsioPool final : public Executor {
 public:
  // `threads` is at least 1.
  explicit AsioPool(int threads);
  ~AsioPool() override;  // Stops.
  AsioPool(const AsioPool&) = delete;
  AsioPool& operator=(const AsioPool&) = delete;

  // After Stop() the task is dropped.
  void Post(absl::AnyInvocable<void()> task) override;

  // Runs what was posted and what those tasks post, then joins the threads.
  void Stop();

 private:
  struct Core;  // Keeps Asio out of this header.
  const std::unique_ptr<Core> core_;
};

}  // namespace acta
