#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "acta/storage/v1/records.pb.h"
#include "server/core/delivery/queue_types.h"
#include "server/core/queues/indexed_batch.h"
#include "storage/log_engine.h"

namespace acta {

// What goes into a GroupQueue and comes out of it.

// Consecutive events of one stored batch, leased to a member.
struct QueueDelivery {
  PartitionId partition;
  Offset first;
  uint32_t count = 0;
  int32_t attempt = 0;
  int64_t until_us = 0;
  BatchPtr batch;
  size_t begin = 0;  // Of its payload.
  size_t end = 0;
  int32_t redrives = 0;
  uint64_t redrive = 0;  // As AttemptsBefore::redrive.
};

// The events of a run that are in the batch, from `at` on, which is in it too. `at` goes behind
// them.
QueueDelivery CutDelivery(const IndexedBatch& batch, PartitionId partition, const LeasedRun& run,
                          Offset* at);
// A dead letter, and its record on the disk; or an event that is held.
struct LetterToRedrive {
  PartitionId partition;
  Offset offset;
  const storage::v1::DeadLetterRecord* record = nullptr;  // Null: it is held.
};
struct RedrivenLetters {
  int64_t passed = 0;    // Of those that were given, from the front.
  int64_t redriven = 0;  // Of those passed; the others are outstanding, or not this queue's.
};

// Who offers them again.
struct Redriver {
  std::string by;        // The principal.
  uint64_t redrive = 0;  // As AttemptsBefore::redrive.
};

// A partition that stands still until somebody decides.
struct QueueProblem {
  PartitionId partition;
  Offset at;
  absl::Status status;
};

struct QueueSettlement {
  enum class Kind : uint8_t { kAck, kNack, kReject, kExtend, kRelease };
  PartitionId partition;
  Offset offset;
  int32_t count = 1;
  Kind kind = Kind::kAck;
  std::optional<absl::Duration> delay;
  std::string reason;
  std::string text;
  bool delivered = true;  // kRelease: false, it never came to the member.
};

// Consecutive events of a settlement that did not count, and why.
struct SettleFailure {
  size_t index = 0;  // Of the settlement.
  Offset first;
  int32_t count = 0;
  SettleOutcome outcome = SettleOutcome::kDone;
};

// Who a member is, as it stands in the history of attempts.
struct QueueMemberFacts {
  std::string member_id;
  std::string app;
  std::string app_version;
};

}  // namespace acta
