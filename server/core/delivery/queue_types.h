#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "storage/base/ids.h"

namespace acta {

// Times are microseconds of the server's clock (LogEngine::Now()).

// How events of one key follow one another. Events without a key are never ordered.
enum class QueueOrder : uint8_t {
  kUnordered,
  kKey,         // One of a key in flight; a failure holds its key until it is settled.
  kKeyRelaxed,  // One of a key in flight, first attempts in order; a retry may be overtaken.
};

// What follows the last attempt.
enum class OnExhausted : uint8_t { kDeadLetter, kHoldKey };

// Delay before a retry: `initial` x `factor` for each failure before this one, at most `max`, plus
// or minus `jitter` of it.
struct Backoff {
  absl::Duration initial = absl::Seconds(1);
  double factor = 2;
  absl::Duration max = absl::Minutes(10);
  double jitter = 0.2;  // 0 to 1.
  // After the `failures`-th failure, from 1; `random` is in [0, 1).
  absl::Duration Delay(int32_t failures, double random) const;
};

struct QueuePolicy {
  QueueOrder order = QueueOrder::kUnordered;
  OnExhausted on_exhausted = OnExhausted::kDeadLetter;
  absl::Duration lease = absl::Seconds(30);
  absl::Duration longest_lease = absl::Hours(12);  // From its beginning, with all extensions.
  int32_t max_attempts = 10;
  Backoff backoff;
  // After a start of the broker members have so long to say what they hold.
  absl::Duration grace = absl::Seconds(10);
  int32_t window = 20'000;       // Events between floor and head that are not settled.
  int32_t window_runs = 4'096;   // Runs that they form, when more are scanned.
  int32_t max_deliveries = 100;  // Without an outcome.
};

// What the machine has to know of an event.
struct EventFacts {
  uint64_t key = 0;  // Hash of its key, 0: it has none. Keys of one hash are ordered together.
  int64_t expires_us = std::numeric_limits<int64_t>::max();
  uint32_t bytes = 0;  // Of its element as it is stored.
  friend bool operator==(const EventFacts&, const EventFacts&) = default;
};

enum class AttemptEnd : uint8_t { kNack, kReject, kLeaseExpired, kMemberLost };

// How an attempt failed. `reason` and `text` are the member's own words.
struct FailedAttempt {
  Offset offset;
  int32_t redrives = 0;
  int32_t attempt = 0;  // From 1, since the last redrive.
  AttemptEnd end = AttemptEnd::kNack;
  uint64_t member = 0;
  int64_t leased_us = 0;
  int64_t ended_us = 0;
  std::string reason;
  std::string text;
};

// An event that waits with a durable row of its own.
struct ParkedEvent {
  enum class State : uint8_t {
    kRetryWait,
    kBlockedByKey,  // An earlier event of its key is not settled.
    kHeld,          // Its attempts are over and somebody has to decide.
  };
  Offset offset;
  State state = State::kRetryWait;
  int64_t due_us = 0;
  EventFacts facts;
  int32_t attempts = 0;  // That failed.
  int32_t redrives = 0;
  friend bool operator==(const ParkedEvent&, const ParkedEvent&) = default;
};

enum class DeadLetterReason : uint8_t { kRejected, kAttemptsExhausted, kDeliveryLoop };

struct DeadLetter {
  Offset offset;
  DeadLetterReason reason = DeadLetterReason::kRejected;
  EventFacts facts;
  int32_t attempts = 0;
  int32_t redrives = 0;
  int64_t at_us = 0;
  bool order_broken = false;  // Later events of its key go on without it.
};

// What the end of an attempt makes of an event.
struct Failure {
  FailedAttempt attempt;
  std::optional<DeadLetter> letter;  // Not set: it is parked.
  ParkedEvent parked;
};

// Attempts of an event that is settled and no dead letter: nobody asks for them any more.
struct PastAttempts {
  Offset offset;
  int32_t attempts = 0;  // Since the last redrive.
};

// A run of offsets.
struct OffsetRun {
  Offset first;
  Offset end;  // Exclusive.
  friend bool operator==(const OffsetRun&, const OffsetRun&) = default;
};

// What is settled: all below `floor`, and of [floor, head) what is in none of the runs, which rise
// and do not touch. Parked events count as passed.
struct QueuePosition {
  Offset floor;
  Offset head;
  std::vector<OffsetRun> outstanding;
  friend bool operator==(const QueuePosition&, const QueuePosition&) = default;
};

// Of a key whose event was settled: the next one may come when that is durable.
struct KeyTurn {
  Offset offset;
  uint64_t key = 0;
};

// Events by what became of them, since the start of the broker. Enums are the indexes.
struct QueueTally {
  int64_t acked = 0;
  int64_t released = 0;                    // Given back, also by a clean leave.
  std::array<int64_t, 4> failed{};         // Attempts, by AttemptEnd.
  std::array<int64_t, 3> dead_lettered{};  // By DeadLetterReason.
  int64_t redelivered = 0;                 // Leased, and not for the first time.
  int64_t expired = 0;                     // Nobody gets them.
  int64_t skipped = 0;
};

// Where an event is just now.
struct EventStanding {
  enum class Where : uint8_t {
    kSettled,  // Or never a part of the queue.
    kPending,  // Nobody has it yet.
    kLeased,
    kRetryWait,
    kBlockedByKey,
    kHeld,
  };
  Where where = Where::kSettled;
  uint64_t holder = 0;   // kLeased.
  int64_t until_us = 0;  // kLeased, kRetryWait.
  int64_t leased_us = 0;
  int32_t redrives = 0;
};

// A key whose events wait for an earlier one.
struct KeyStandstill {
  enum class Why : uint8_t { kReady, kLeased, kRetryWait, kHeld };
  Offset offset;  // The one they wait for.
  Why why = Why::kReady;
  int64_t due_us = 0;   // kRetryWait: when it is ready again.
  int64_t waiting = 0;  // How many wait for it.
};

// What is shared by all partitions of a group.
struct QueueBudget {
  int64_t max_parked = 100'000;
  int64_t max_dead_letters = 100'000;
  int64_t parked = 0;
  int64_t dead_letters = 0;
  QueueTally tally;
};

// What has to become durable together, before anybody is told.
struct QueueChanges {
  std::optional<QueuePosition> position;
  std::vector<ParkedEvent> parked;  // New or changed rows.
  std::vector<Offset> unparked;     // Rows that go.
  std::vector<FailedAttempt> failed;
  std::vector<PastAttempts> past;
  std::vector<DeadLetter> dead_letters;
  std::vector<KeyTurn> turns;  // For PassTurns().
  bool empty() const {
    return !position.has_value() && parked.empty() && unparked.empty() && failed.empty() &&
           past.empty() && dead_letters.empty() && turns.empty();
  }
};

// How much is leased at most. The first event may be larger than the bytes.
struct LeaseBounds {
  int64_t events = 0;
  int64_t bytes = 0;
};

// Consecutive events leased to one member at once.
struct LeasedRun {
  Offset first;
  int32_t count = 0;
  int32_t attempt = 0;  // Of each, from 1, since the last redrive.
  int64_t until_us = 0;
  int32_t redrives = 0;  // Of each.
};

// Why an acknowledgement or the like counts or does not.
enum class SettleOutcome : uint8_t {
  kDone,
  kAlreadySettled,  // It was processed, a dead letter, skipped or expired before.
  kLeaseLost,       // Somebody else has it, or had it last, or nobody has it now.
  kNeverLeased,     // It was not delivered yet.
  kTooLong,         // The lease would be longer than the longest.
};

// How an attempt is said to have failed.
struct Nack {
  std::optional<absl::Duration> delay;  // Not set: the group's backoff.
  std::string reason;
  std::string text;
};

}  // namespace acta
