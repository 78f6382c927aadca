#pragma once

#include <vector>

#include "absl/functional/any_invocable.h"
#include "storage/log_engine.h"

namespace acta {

// Consecutive events that a member has leased.
struct HeldRun {
  PartitionId partition;
  Offset first;
  int32_t count = 1;
  int32_t attempt = 1;
};

// Events that are processed, and what is written with that: all of it or nothing.
struct QueueStep {
  std::vector<HeldRun> acks;  // No event twice.
  std::vector<Append> appends;
  std::vector<RowWrite> rows;
  // Once, on any thread: it must not block. Not OK, or an append that is not: nothing of the step
  // happened, and the events are leased as before; anew if their leases ended.
  absl::AnyInvocable<void(TransactionResult)> done;
};

}  // namespace acta
