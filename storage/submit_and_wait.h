#pragma once

#include <memory>
#include <utility>

#include "storage/base/mutex.h"
#include "storage/log_engine.h"

namespace acta {

// Submits the transaction, whose `done` is not set, and blocks until its level is reached. The
// result's status is not OK when it was refused, or not stored.
//
// Threads: any that may wait for the disk; never from a `done`, a wake or a completion-queue
//          thread.
inline TransactionResult SubmitAndWait(LogEngine& engine, Transaction transaction) {
  struct Answer {
    Mutex mu;  // Leaf.
    CondVar arrived;
    bool done ABSL_GUARDED_BY(mu) = false;
    TransactionResult result ABSL_GUARDED_BY(mu);
  };
  // Shared: `done` still signals when the waiter may already have returned.
  const auto answer = std::make_shared<Answer>();
  transaction.done = [answer](TransactionResult result) {
    MutexLock lock(answer->mu);
    answer->result = std::move(result);
    answer->done = true;
    answer->arrived.SignalAll();
  };
  if (absl::Status refused = engine.Submit(std::move(transaction)); !refused.ok()) {
    TransactionResult result;
    result.status = std::move(refused);
    return result;
  }
  MutexLock lock(answer->mu);
  while (!answer->done) answer->arrived.Wait(answer->mu);
  return std::move(answer->result);
}

}  // namespace acta
