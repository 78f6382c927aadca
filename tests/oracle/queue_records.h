#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace acta::oracle {

// What a member says of an event it leased.
enum class SettleOp : uint8_t { kAck, kNack, kReject, kExtend, kRelease };

// How the stream of a worker ended.
enum class SessionEnd : uint8_t {
  kClean,   // It half-closed, and all it said was answered.
  kBroken,  // It was cancelled, when all it had asked for was there.
  kLost,    // The broker was gone.
  kOther,   // It may have been leased what it was never told of.
};

enum class QueueOrderWord : uint8_t { kUnordered, kKey, kKeyRelaxed };
enum class LetterReason : uint8_t { kRejected, kExhausted, kOther };

// One line of what a worker of a QUEUE group did, was told, or saw. Which fields count depends on
// `kind`. Places are of partition and offset.
struct QueueRecord {
  enum class Kind : uint8_t {
    // attempt: the most; until_us: how long a lease is; since_us: the longest backoff; delay_us:
    // the
    // first one; detail: QueueOrderWord; key: 1 when the last attempt of an event holds its key.
    kGroup,
    // worker, session, place, attempt, redrives, until_us, key: an event was delivered.
    kLeased,
    // worker, session, place, until_us (of the lease before): said to be held over a restart.
    kHeld,
    // worker, session, place, attempt, redrives and until_us of the lease, op, since_us, delay_us,
    // step: settled.
    kOk,
    // The same, refused. detail: 1 when the event was settled before.
    kFail,
    // The same, and nobody knows.
    kInfo,
    // worker, session, detail: SessionEnd.
    kGone,
    // partition, offset: where the log ends, when the group has nothing outstanding any more.
    kEnd,
    // place, attempt, detail (LetterReason): a dead letter in the end.
    kLetter,
    // place, attempt, redrives, op: a step published it.
    kResult,
    // place, since_us, detail (1: nobody knows): one that held its key was offered again.
    kRedriven,
    // The same: it was skipped.
    kSkipped,
  };
  Kind kind = Kind::kGroup;
  int64_t time_us = 0;  // Of the machine's wall clock, which the broker's clock follows.
  int32_t group = 0;
  int32_t worker = 0;
  int64_t session = 0;  // One life of a worker; unique in a load.
  int32_t partition = 0;
  int64_t offset = 0;
  int32_t attempt = 0;
  int32_t redrives = 0;   // Before the attempt.
  int64_t until_us = 0;   // When the lease ends, by the broker's clock.
  int64_t since_us = 0;   // When it was about to be sent.
  int64_t delay_us = -1;  // That was asked for; below 0: none.
  SettleOp op = SettleOp::kAck;
  int32_t detail = 0;
  int64_t key = 0;    // Hash of the event's key; 0: it has none.
  bool step = false;  // Settled in one write with a result.

  friend bool operator==(const QueueRecord&, const QueueRecord&) = default;
};

std::string FormatRecord(const QueueRecord& record);  // With its newline.
absl::StatusOr<QueueRecord> ParseQueueRecord(absl::string_view line);
// All lines of the folder's files *.queue.
absl::StatusOr<std::vector<QueueRecord>> ReadQueueHistory(const std::string& folder);

}  // namespace acta::oracle
