#include "tests/oracle/queue_checker.h"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "tests/oracle/test_queue.h"

namespace acta::oracle {
namespace {

// A step of the last event, which is leased at 3 s; the result is there `results` times.
void StepLast(TestQueue* queue, SettleOp op, QueueRecord::Kind kind, int results) {
  queue->ForgetLast();
  queue->LeaseAt(2, 3000);
  queue->Answer(2, op, 3010, kind).step = true;
  for (int i = 0; i < results; ++i) {
    QueueRecord& result = queue->Add(QueueRecord::Kind::kResult, 2, 9000);
    result.attempt = 1;
    result.op = op;
  }
}

}  // namespace

TEST_CASE("a queue in which everything is as promised shows nothing", "[oracle]") {
  const QueueReport report = CheckQueues(TestQueue().records);
  CHECK(report.clean());
  CHECK(report.leased == 3);
  CHECK(report.settled == 3);
}

TEST_CASE("an event that is leased behind its ack is redelivered", "[oracle]") {
  TestQueue queue;
  SECTION("to anybody") {
    queue.LeaseAt(2, 4000);
    CHECK(queue.Shows(QueueAnomaly::kRedeliveredAfterAck));
  }
  SECTION("and acknowledged again it is settled twice") {
    queue.LeaseAt(2, 4000);
    queue.Answer(2, SettleOp::kAck, 4010);
    CHECK(queue.Shows(QueueAnomaly::kSettledTwice));
  }
  SECTION("but not when nobody knows whether the ack counted") {
    queue.ForgetLast();
    queue.LeaseAt(2, 3000);
    queue.Answer(2, SettleOp::kAck, 3010, QueueRecord::Kind::kInfo);
    queue.Gone(1, SessionEnd::kLost, 3020);
    queue.LeaseAt(2, 13'000, 1, 2);
    queue.Answer(2, SettleOp::kAck, 13'010);
    CHECK(queue.Found() == "");
  }
}

TEST_CASE("an event that is neither settled nor a dead letter is lost", "[oracle]") {
  TestQueue queue;
  queue.ForgetLast();
  SECTION("never leased") { CHECK(queue.Shows(QueueAnomaly::kLostDelivery)); }
  SECTION("leased and forgotten") {
    queue.LeaseAt(2, 3000);
    CHECK(queue.Shows(QueueAnomaly::kLostDelivery));
  }
  SECTION("acknowledged without an answer before it was leased again") {
    queue.LeaseAt(2, 3000);
    queue.Answer(2, SettleOp::kAck, 3010, QueueRecord::Kind::kInfo);
    queue.LeaseAt(2, 13'000);
    CHECK(queue.Shows(QueueAnomaly::kLostDelivery));
  }
  SECTION("but not acknowledged without an answer") {
    queue.LeaseAt(2, 3000);
    queue.Answer(2, SettleOp::kAck, 3010, QueueRecord::Kind::kInfo);
    CHECK(queue.Found() == "");
  }
}

TEST_CASE("an event that is leased before another of its key is settled is reordered", "[oracle]") {
  TestQueue queue;
  queue.ForgetLast();
  SECTION("in flight beside it") {
    queue.LeaseAt(2, 2005);
    queue.Answer(2, SettleOp::kAck, 2500);
    CHECK(queue.Shows(QueueAnomaly::kKeyReordered) == false);  // Within what is not judged.
    queue.ForgetLast();
    queue.LeaseAt(2, 2001);
    queue.Answer(2, SettleOp::kAck, 2500);
    CHECK(queue.Shows(QueueAnomaly::kKeyReordered));
  }
  SECTION("over one that waits") {
    std::erase_if(queue.records, [](const QueueRecord& record) { return record.offset == 1; });
    queue.LeaseAt(1, 2000);
    queue.Answer(1, SettleOp::kNack, 2010);
    queue.LeaseAt(2, 2100);
    queue.Answer(2, SettleOp::kAck, 2110);
    queue.LeaseAt(1, 2200, 2);
    queue.Answer(1, SettleOp::kAck, 2210);
    CHECK(queue.Shows(QueueAnomaly::kKeyReordered));
  }
  SECTION("but not one of another key, nor in a group without order") {
    queue.LeaseAt(2, 500).key = 8;
    queue.Answer(2, SettleOp::kAck, 510);
    CHECK(queue.Found() == "");
    queue.ForgetLast();
    queue.LeaseAt(2, 500);
    queue.Answer(2, SettleOp::kAck, 510);
    CHECK(queue.Shows(QueueAnomaly::kKeyReordered));
    queue.records.front().detail = static_cast<int32_t>(QueueOrderWord::kUnordered);
    CHECK(queue.Found() == "");
  }
}

TEST_CASE("a second lease beside one that has not ended is a double lease", "[oracle]") {
  TestQueue queue;
  queue.ForgetLast();
  queue.LeaseAt(2, 3000);
  SECTION("of an event that is in somebody's hands") {
    queue.LeaseAt(2, 3500, 1, 2);
    CHECK(queue.Shows(QueueAnomaly::kDoubleLease));
  }
  SECTION("of one whose lease was made longer") {
    queue.Answer(2, SettleOp::kExtend, 3500).delay_us = 2000 * kMs;
    queue.LeaseAt(2, 4500, 2, 2);
    CHECK(queue.Shows(QueueAnomaly::kDoubleLease));
  }
  SECTION("but not of one that was given back") {
    queue.Answer(2, SettleOp::kRelease, 3100);
    queue.LeaseAt(2, 3200, 1, 2);
    CHECK_FALSE(queue.Shows(QueueAnomaly::kDoubleLease));
  }
  SECTION("nor of one whose lease ran out") {
    queue.LeaseAt(2, 4001, 2, 2);
    CHECK_FALSE(queue.Shows(QueueAnomaly::kDoubleLease));
  }
  SECTION("nor of one whose member was lost") {
    queue.Gone(1, SessionEnd::kBroken, 3100);
    queue.LeaseAt(2, 3050, 2, 2);
    CHECK_FALSE(queue.Shows(QueueAnomaly::kDoubleLease));
  }
}

TEST_CASE("a dead letter that should not be one, or is missing, is noticed", "[oracle]") {
  TestQueue queue;
  SECTION("acknowledged") { queue.Letter(2, LetterReason::kExhausted, kMostAttempts); }
  SECTION("with attempts left") {
    queue.ForgetLast();
    queue.LeaseAt(2, 3000);
    queue.Answer(2, SettleOp::kNack, 3010);
    queue.Letter(2, LetterReason::kExhausted, 1);
  }
  SECTION("that nobody rejected") {
    queue.ForgetLast();
    queue.LeaseAt(2, 3000);
    queue.Answer(2, SettleOp::kNack, 3010);
    queue.Letter(2, LetterReason::kRejected, 1);
  }
  SECTION("that no member failed") {
    queue.ForgetLast();
    queue.LeaseAt(2, 3000);
    queue.Letter(2, LetterReason::kExhausted, kMostAttempts);
  }
  SECTION("rejected, and missing") {
    queue.ForgetLast();
    queue.LeaseAt(2, 3000);
    queue.Answer(2, SettleOp::kReject, 3010);
  }
  SECTION("failed for the last time, and missing") {
    queue.ForgetLast();
    queue.LeaseAt(2, 3000, kMostAttempts);
    queue.Answer(2, SettleOp::kNack, 3010);
  }
  CHECK(queue.Shows(QueueAnomaly::kWrongDeadLetter));
}

TEST_CASE("a rejected event, and one whose attempts were used up, are rightly dead", "[oracle]") {
  TestQueue queue;
  queue.ForgetLast();
  queue.LeaseAt(2, 3000);
  SECTION("rejected") {
    queue.Answer(2, SettleOp::kReject, 3010);
    queue.Letter(2, LetterReason::kRejected, 1);
  }
  SECTION("used up") {
    for (int32_t attempt = 1; attempt <= kMostAttempts; ++attempt) {
      if (attempt > 1) queue.LeaseAt(2, 2000 + 1000 * attempt, attempt);
      queue.Answer(2, SettleOp::kNack, 2000 + 1000 * attempt + 10);
    }
    queue.Letter(2, LetterReason::kExhausted, kMostAttempts);
  }
  CHECK(queue.Found() == "");
}

TEST_CASE("an attempt that must not count, and one that must, are held apart", "[oracle]") {
  TestQueue queue;
  queue.ForgetLast();
  queue.LeaseAt(2, 3000);
  SECTION("a release that counted") {
    queue.Answer(2, SettleOp::kRelease, 3010);
    queue.LeaseAt(2, 3020, 2);
    CHECK(queue.Shows(QueueAnomaly::kCountedRelease));
  }
  SECTION("a clean leave, and a restart of the broker, that counted") {
    const SessionEnd how = GENERATE(SessionEnd::kClean, SessionEnd::kLost);
    queue.Gone(1, how, 3100);
    queue.LeaseAt(2, 13'000, 2, 2);
    CHECK(queue.Shows(QueueAnomaly::kCountedRelease));
  }
  SECTION("but a member that was lost, and a lease that ran out, count") {
    const bool lost = GENERATE(true, false);
    queue.Gone(1, lost ? SessionEnd::kBroken : SessionEnd::kLost, lost ? 3100 : 4100);
    queue.LeaseAt(2, 13'000, 2, 2);
    queue.Answer(2, SettleOp::kAck, 13'010);
    CHECK(queue.Found() == "");
  }
  SECTION("what was held over a restart may have ended in any way") {
    queue.Gone(1, SessionEnd::kLost, 3100);
    queue.Add(QueueRecord::Kind::kHeld, 2, 3200).until_us = 3000 * kMs + kLeaseUs;
    queue.LeaseAt(2, 13'000, 2, 2);
    queue.Answer(2, SettleOp::kAck, 13'010);
    CHECK(queue.Found() == "");
  }
  SECTION("but of two attempts that ended around a restart only the one that was reported") {
    queue.Gone(1, SessionEnd::kBroken, 3010);
    queue.LeaseAt(2, 3020, 2, 2);
    queue.Gone(2, SessionEnd::kLost, 3030);
    queue.Add(QueueRecord::Kind::kHeld, 2, 3200).until_us = 3020 * kMs + kLeaseUs;
    queue.Answer(2, SettleOp::kNack, 3210);
    const int32_t next = GENERATE(1, 2, 3);
    queue.LeaseAt(2, 13'000, next, 2);
    queue.Answer(2, SettleOp::kAck, 13'010);
    CHECK(queue.Shows(QueueAnomaly::kLostAttempt) == (next == 1));
  }
  SECTION("a nack that did not count") {
    queue.Answer(2, SettleOp::kNack, 3010);
    queue.LeaseAt(2, 3900, 1);
    CHECK(queue.Shows(QueueAnomaly::kLostAttempt));
  }
  SECTION("one that counted twice") {
    queue.Answer(2, SettleOp::kNack, 3010);
    queue.LeaseAt(2, 3900, 3);
    CHECK(queue.Shows(QueueAnomaly::kCountedRelease));
  }
}

TEST_CASE("an event that is leased before its delay is over comes early", "[oracle]") {
  TestQueue queue;
  queue.ForgetLast();
  queue.LeaseAt(2, 3000);
  SECTION("of the backoff") {
    queue.Answer(2, SettleOp::kNack, 3010);
    queue.LeaseAt(2, 3080, 2);
    CHECK(queue.Shows(QueueAnomaly::kEarlyRetry));
  }
  SECTION("but with its jitter") {
    queue.Answer(2, SettleOp::kNack, 3010);
    queue.LeaseAt(2, 3090, 2);
    CHECK_FALSE(queue.Shows(QueueAnomaly::kEarlyRetry));
  }
  SECTION("of the delay that was asked for") {
    queue.Answer(2, SettleOp::kNack, 3010).delay_us = 5000 * kMs;
    queue.LeaseAt(2, 8000, 2);
    CHECK(queue.Shows(QueueAnomaly::kEarlyRetry));
  }
}

TEST_CASE("what is held keeps its key until somebody decides", "[oracle]") {
  TestQueue queue;
  queue.records.front().key = 1;
  queue.ForgetLast();
  for (int32_t attempt = 1; attempt <= kMostAttempts; ++attempt) {
    queue.LeaseAt(2, 2000 + 1000 * attempt, attempt);
    queue.Answer(2, SettleOp::kNack, 2000 + 1000 * attempt + 10);
  }
  const auto decide = [&queue](QueueRecord::Kind kind, int64_t ms) {
    queue.Add(kind, 2, ms + 1).since_us = ms * kMs;
  };
  SECTION("redriven, its attempts begin anew") {
    decide(QueueRecord::Kind::kRedriven, 7000);
    queue.LeaseAt(2, 7002);
    queue.Answer(2, SettleOp::kAck, 7010);
    CHECK(queue.Found() == "");
  }
  SECTION("skipped, it is not lost") {
    decide(QueueRecord::Kind::kSkipped, 7000);
    CHECK(queue.Found() == "");
    queue.LeaseAt(2, 7100);
    CHECK(queue.Shows(QueueAnomaly::kRedeliveredAfterAck));
  }
  SECTION("and never decided, it is") { CHECK(queue.Shows(QueueAnomaly::kLostDelivery)); }
  SECTION("nothing of its key comes meanwhile") {
    decide(QueueRecord::Kind::kSkipped, 7000);
    queue.LeaseAt(1, 6000, 2);
    CHECK(queue.Shows(QueueAnomaly::kPassedHold));
  }
  SECTION("nor does it come itself") {
    decide(QueueRecord::Kind::kRedriven, 7000);
    queue.LeaseAt(2, 6000);
    CHECK(queue.Shows(QueueAnomaly::kPassedHold));
  }
  SECTION("it is no dead letter") {
    queue.Letter(2, LetterReason::kExhausted, kMostAttempts);
    CHECK(queue.Shows(QueueAnomaly::kWrongDeadLetter));
  }
}

TEST_CASE("under a relaxed order first attempts come in order, and a retry may be overtaken",
          "[oracle]") {
  TestQueue queue;
  queue.records.front().detail = static_cast<int32_t>(QueueOrderWord::kKeyRelaxed);
  queue.ForgetLast();
  SECTION("a retry that is overtaken") {
    std::erase_if(queue.records, [](const QueueRecord& record) { return record.offset == 1; });
    queue.LeaseAt(1, 2000);
    queue.Answer(1, SettleOp::kNack, 2010);
    queue.LeaseAt(2, 2050);
    queue.Answer(2, SettleOp::kAck, 2060);
    queue.LeaseAt(1, 2200, 2);
    queue.Answer(1, SettleOp::kAck, 2210);
    CHECK(queue.Found() == "");
  }
  SECTION("a first attempt that is") {
    queue.LeaseAt(2, 1500);
    queue.Answer(2, SettleOp::kAck, 1510);
    CHECK(queue.Shows(QueueAnomaly::kKeyReordered));
  }
}

TEST_CASE("a record of a queue survives its line", "[oracle]") {
  QueueRecord record;
  record.kind = QueueRecord::Kind::kInfo;
  record.time_us = 1;
  record.group = 2;
  record.worker = 3;
  record.session = 4;
  record.partition = 5;
  record.offset = 6;
  record.attempt = 7;
  record.redrives = 13;
  record.until_us = 8;
  record.since_us = 9;
  record.delay_us = 10;
  record.op = SettleOp::kRelease;
  record.detail = 11;
  record.key = -12;
  std::string line = FormatRecord(record);
  line.pop_back();
  const auto parsed = ParseQueueRecord(line);
  REQUIRE(parsed.ok());
  CHECK(*parsed == record);
  CHECK_FALSE(ParseQueueRecord("ok 1 2").ok());
}

TEST_CASE("a step has its result once") {
  TestQueue queue;
  SECTION("when it was answered") {
    StepLast(&queue, SettleOp::kAck, QueueRecord::Kind::kOk, 1);
    CHECK(queue.Found().empty());
  }
  SECTION("and not when it was refused") {
    StepLast(&queue, SettleOp::kAck, QueueRecord::Kind::kFail, 0);
    queue.Answer(2, SettleOp::kAck, 3100);
    CHECK(queue.Found().empty());
  }
  SECTION("not none") {
    StepLast(&queue, SettleOp::kAck, QueueRecord::Kind::kOk, 0);
    CHECK(queue.Shows(QueueAnomaly::kTornStep));
  }
  SECTION("not twice") {
    StepLast(&queue, SettleOp::kAck, QueueRecord::Kind::kOk, 2);
    CHECK(queue.Shows(QueueAnomaly::kTornStep));
  }
  SECTION("not after it was refused") {
    StepLast(&queue, SettleOp::kAck, QueueRecord::Kind::kFail, 1);
    queue.Answer(2, SettleOp::kAck, 3100);
    CHECK(queue.Shows(QueueAnomaly::kTornStep));
  }
  SECTION("not another one") {
    StepLast(&queue, SettleOp::kAck, QueueRecord::Kind::kOk, 1);
    queue.records.back().op = SettleOp::kReject;
    CHECK(queue.Shows(QueueAnomaly::kTornStep));
  }
}

TEST_CASE("a step that nobody knows of happened when its result is there") {
  TestQueue queue;
  SECTION("and its event is not leased again") {
    StepLast(&queue, SettleOp::kAck, QueueRecord::Kind::kInfo, 1);
    CHECK(queue.Found().empty());
    queue.LeaseAt(2, 5000);
    CHECK(queue.Shows(QueueAnomaly::kRedeliveredAfterAck));
  }
  SECTION("and it is a dead letter") {
    StepLast(&queue, SettleOp::kReject, QueueRecord::Kind::kInfo, 1);
    CHECK(queue.Shows(QueueAnomaly::kWrongDeadLetter));
    queue.Letter(2, LetterReason::kRejected, 1);
    CHECK(queue.Found().empty());
  }
  SECTION("else its event is settled by another") {
    StepLast(&queue, SettleOp::kAck, QueueRecord::Kind::kInfo, 0);
    CHECK(queue.Shows(QueueAnomaly::kLostDelivery));
    queue.LeaseAt(2, 5000);
    queue.Answer(2, SettleOp::kAck, 5010);
    CHECK(queue.Found().empty());
  }
}

}  // namespace acta::oracle
