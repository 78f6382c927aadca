#include "tests/oracle/session_checker.h"

#include <catch2/catch.hpp>

#include "tests/oracle/test_queue.h"

namespace acta::oracle {

TEST_CASE("a session that is given again what it had steps back", "[oracle]") {
  TestQueue queue;
  SECTION("under the same lease, behind its ack") {
    queue.LeaseAt(2, 3000).time_us = 3020 * kMs;
    CHECK(queue.Shows(QueueAnomaly::kSteppedBack));
  }
  SECTION("what it was told is settled, whatever the clocks say") {
    const int64_t session = GENERATE(1, 2);
    queue.LeaseAt(2, 3011, 1, session).time_us = 3020 * kMs;
    CHECK_FALSE(queue.Shows(QueueAnomaly::kRedeliveredAfterAck));
    CHECK(queue.Shows(QueueAnomaly::kSteppedBack) == (session == 1));
  }
  SECTION("but not what it was leased again before its late ack was there") {
    queue.ForgetLast();
    queue.LeaseAt(2, 3000);
    queue.Answer(2, SettleOp::kAck, 4005);
    queue.LeaseAt(2, 4001, 2).time_us = 4020 * kMs;
    CHECK(queue.Found() == "");
  }
  SECTION("nor what it gave back") {
    queue.ForgetLast();
    queue.LeaseAt(2, 3000);
    queue.Answer(2, SettleOp::kRelease, 3010);
    queue.LeaseAt(2, 3020);
    queue.Answer(2, SettleOp::kAck, 3030);
    CHECK(queue.Found() == "");
  }
}

TEST_CASE("first attempts of a key that a session is given in another order step back",
          "[oracle]") {
  TestQueue queue;
  queue.records.front().detail = static_cast<int32_t>(QueueOrderWord::kKeyRelaxed);
  queue.ForgetLast();
  std::erase_if(queue.records, [](const QueueRecord& record) { return record.offset == 1; });
  const int64_t session = GENERATE(1, 2);
  // By the clock of the broker in order.
  queue.LeaseAt(2, 3002);
  queue.Answer(2, SettleOp::kAck, 3003);
  queue.LeaseAt(1, 3000, 1, session).time_us = 3005 * kMs;
  queue.Answer(1, SettleOp::kAck, 3006);
  CHECK_FALSE(queue.Shows(QueueAnomaly::kKeyReordered));
  CHECK(queue.Shows(QueueAnomaly::kSteppedBack) == (session == 1));
}

}  // namespace acta::oracle
