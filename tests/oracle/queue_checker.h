#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/oracle/queue_records.h"

namespace acta::oracle {

// What a history of QUEUE groups may show that was promised never to happen.
enum class QueueAnomaly : uint8_t {
  // Leased although its ack, or its reject, was answered before.
  kRedeliveredAfterAck,
  // Two acks or rejects of one event were answered OK.
  kSettledTwice,
  // Neither settled by a member nor a dead letter, and the group has nothing outstanding.
  kLostDelivery,
  // Under KEY: leased before an earlier one of its key was settled. Under KEY_RELAXED: for the
  // first
  // time before an earlier one was.
  kKeyReordered,
  // Leased while another lease on it had not ended: not settled, not run out, its member there.
  kDoubleLease,
  // A dead letter that was not rejected and has attempts left, or was acknowledged, or that no
  // member failed; an event that should be one and is not.
  kWrongDeadLetter,
  // An attempt was counted for what must not count: a release, a clean leave, a broker that was
  // away.
  kCountedRelease,
  // A nack that was answered was not counted, or more than one attempt is gone at once.
  kLostAttempt,
  // Leased before the delay of its nack was over.
  kEarlyRetry,
  // A step that was answered and whose result is not there, or is there twice; a result of a step
  // that was refused, or that nobody asked for.
  kTornStep,
  // Leased while an event of its key was held, or itself, and nobody had decided of that.
  kPassedHold,
  // A session is given again what it was given under that lease, or what it was told is settled; or
  // first attempts of a key in another order than that of their offsets.
  kSteppedBack,
};
std::string QueueAnomalyName(QueueAnomaly anomaly);  // "redelivered-after-ack"

struct QueueReport {
  std::map<QueueAnomaly, int64_t> counts;
  // For each class the first few, for people.
  std::map<QueueAnomaly, std::vector<std::string>> examples;
  int64_t leased = 0;
  int64_t settled = 0;  // Acks and rejects that were answered.
  int64_t letters = 0;
  int64_t steps = 0;  // That were answered.

  bool clean() const { return counts.empty(); }
  // `what` is wrong with the event that the record is of.
  void Add(QueueAnomaly anomaly, const QueueRecord& record, absl::string_view what);
};

// Holds a history of workers against what a queue promises. Time and memory are linear in the
// records but for the sorting of the leases of each event and of the events of each key.
//
// Leases are put in order by the broker's clock; what workers did, by the machine's. The two may
// differ by 5 ms: what is closer is not judged.
QueueReport CheckQueues(std::vector<QueueRecord> history);

}  // namespace acta::oracle
