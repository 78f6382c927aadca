#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/oracle/queue_checker.h"

namespace acta::oracle {

inline constexpr int64_t kMs = 1000;
inline constexpr int64_t kLeaseUs = 1'000'000;
inline constexpr int32_t kMostAttempts = 3;

// A group by key with leases of 1 s, 3 attempts and a backoff of 100 ms to 1 s, and a partition of
// three events of one key; each is leased at 1 s, 2 s and 3 s and acknowledged 10 ms later by one
// worker.
class TestQueue {
 public:
  TestQueue() {
    QueueRecord& group = Add(QueueRecord::Kind::kGroup, 0, 0);
    group.attempt = kMostAttempts;
    group.until_us = kLeaseUs;
    group.delay_us = 100 * kMs;
    group.since_us = 1000 * kMs;
    group.detail = static_cast<int32_t>(QueueOrderWord::kKey);
    for (int64_t i = 0; i < 3; ++i) {
      LeaseAt(i, 1000 * (i + 1));
      Answer(i, SettleOp::kAck, 1000 * (i + 1) + 10);
    }
    Add(QueueRecord::Kind::kEnd, 3, 9000);
  }

  QueueRecord& Add(QueueRecord::Kind kind, int64_t offset, int64_t ms) {
    QueueRecord record;
    record.kind = kind;
    record.group = 1;
    record.offset = offset;
    record.time_us = ms * kMs;
    return records.emplace_back(record);
  }
  QueueRecord& LeaseAt(int64_t offset, int64_t ms, int32_t attempt = 1, int64_t session = 1) {
    QueueRecord& lease = Add(QueueRecord::Kind::kLeased, offset, ms + 1);
    lease.session = session;
    lease.attempt = attempt;
    lease.until_us = ms * kMs + kLeaseUs;
    lease.key = 7;
    return lease;
  }
  // Of its newest lease: sent at that time, answered a millisecond later.
  QueueRecord& Answer(int64_t offset, SettleOp op, int64_t ms,
                      QueueRecord::Kind kind = QueueRecord::Kind::kOk) {
    QueueRecord lease;
    for (const QueueRecord& record : records) {
      if (record.kind == QueueRecord::Kind::kLeased && record.offset == offset) lease = record;
    }
    QueueRecord& answer = Add(kind, offset, ms + 1);
    answer.session = lease.session;
    answer.attempt = lease.attempt;
    answer.until_us = lease.until_us;
    answer.since_us = ms * kMs;
    answer.op = op;
    return answer;
  }
  void Gone(int64_t session, SessionEnd how, int64_t ms) {
    QueueRecord& gone = Add(QueueRecord::Kind::kGone, 0, ms);
    gone.session = session;
    gone.detail = static_cast<int32_t>(how);
  }
  QueueRecord& Letter(int64_t offset, LetterReason reason, int32_t attempts) {
    QueueRecord& letter = Add(QueueRecord::Kind::kLetter, offset, 9000);
    letter.detail = static_cast<int32_t>(reason);
    letter.attempt = attempts;
    return letter;
  }
  // Nothing was said of the last event, which its tests begin anew.
  void ForgetLast() {
    std::erase_if(records, [](const QueueRecord& record) {
      return record.offset == 2 && record.kind != QueueRecord::Kind::kEnd;
    });
  }
  bool Shows(QueueAnomaly anomaly) const { return CheckQueues(records).counts.contains(anomaly); }
  // For what must not be noticed.
  std::string Found() const {
    std::string found;
    for (const auto& [anomaly, examples] : CheckQueues(records).examples) {
      found += QueueAnomalyName(anomaly) + ": " + examples.front() + "\n";
    }
    return found;
  }

  std::vector<QueueRecord> records;
};

}  // namespace acta::oracle
