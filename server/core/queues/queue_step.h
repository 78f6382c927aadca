#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "server/core/delivery/queue_types.h"
#include "storage/log_engine.h"

namespace acta {

// Consecutive events that a member was delivered.
struct HeldRun {
  uint64_t session = 0;  // The member's, of QUEUE groups; of STREAM groups the assignment.
  PartitionId partition;
  Offset first;
  int32_t count = 1;
  int32_t attempt = 1;               // Of QUEUE groups, like `redrives`.
  std::optional<AttemptEnd> failed;  // NACK or REJECT; not set: they are processed.
  Nack nack;
  int32_t redrives = 0;
};

// Events that are settled, and what is written with that: all of it or nothing.
struct QueueStep {
  std::vector<HeldRun> runs;  // No event twice.
  std::vector<Append> appends;
  std::vector<RowWrite> rows;
  // Once, on any thread: it must not block. Not OK, or an append that is not: nothing of the step
  // happened, and the events are leased as before; anew if their leases ended. Of a step that
  // waited for another with its events it may say why it was refused then.
  absl::AnyInvocable<void(TransactionResult)> done;
};

}  // namespace acta
