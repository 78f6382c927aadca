// What groups at work leave in the ledger, as journeys tell it.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/journeys/outcomes_room.h"

namespace acta {
namespace {

using Kind = QueueSettlement::Kind;

TEST_CASE("what a STREAM group was delivered and has not committed durably is pending") {
  OutcomesRoom room(v1::GROUP_MODE_STREAM, 5);
  const auto committed = room.Commit(3);
  REQUIRE(committed->has_value());
  CHECK_OK(**committed);
  room.engine->HoldDone();
  const auto in_flight = room.Commit(4);
  CHECK_FALSE(in_flight->has_value());
  for (int64_t offset = 0; offset < 5; ++offset) {
    INFO("offset " << offset);
    const v1::GroupOutcome outcome = room.Told(offset);
    const bool passed = offset < 3;
    CHECK(outcome.state() == (passed ? v1::OUTCOME_STATE_PROCESSED : v1::OUTCOME_STATE_PENDING));
    CHECK(outcome.of_range() == passed);
    CHECK(outcome.member_id() == (passed ? "worker-1" : ""));
    CHECK_FALSE(outcome.has_deliver_time());
  }
  room.Release();
  CHECK(room.Told(3).state() == v1::OUTCOME_STATE_PROCESSED);
  CHECK(room.Told(4).state() == v1::OUTCOME_STATE_PENDING);
}

TEST_CASE("what a QUEUE group acked, and not durably, is pending") {
  for (const auto mode : {v1::JOURNEY_MODE_FULL, v1::JOURNEY_MODE_OFF}) {
    INFO(v1::JourneyMode_Name(mode));
    const bool full = mode == v1::JOURNEY_MODE_FULL;
    const auto acked = full ? v1::OUTCOME_STATE_PROCESSED : v1::OUTCOME_STATE_SETTLED;
    OutcomesRoom room(v1::GROUP_MODE_QUEUE, 4, absl::ZeroDuration(), mode);
    REQUIRE(room.Take() == 4);
    room.Settle(Kind::kAck, 0);
    room.pool.RunAll();
    CHECK(room.Told(0).state() == acked);
    room.engine->HoldDone();
    room.engine->FailNextWrite(Error(v1::DISK_FULL, "the disk is full"));
    room.Settle(Kind::kAck, 1);
    room.Settle(Kind::kAck, 2);  // Waits for the first.
    room.Settle(Kind::kReject, 3);
    const auto check_waiting = [&] {
      CHECK(room.Told(0).state() == acked);
      for (int64_t offset = 1; offset < 4; ++offset) {
        INFO("offset " << offset);
        CHECK(room.Told(offset).state() == v1::OUTCOME_STATE_PENDING);
      }
    };
    check_waiting();
    room.Release();  // Refused: it is tried again, with the rest.
    check_waiting();
    room.timer.Advance(absl::Seconds(2));
    room.pool.RunAll();
    CHECK(room.Told(1).state() == acked);
    CHECK(room.Told(2).state() == acked);
    CHECK(room.Told(3).state() ==
          (full ? v1::OUTCOME_STATE_DEAD_LETTERED : v1::OUTCOME_STATE_SETTLED));
  }
}

TEST_CASE("what expired in a QUEUE group, and is not written, is pending") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 2, absl::Seconds(10), v1::JOURNEY_MODE_OFF);
  room.engine->HoldDone();
  room.engine->Advance(absl::Seconds(20));
  CHECK(room.Take() == 0);
  room.pool.RunAll();
  CHECK(room.Told(0).state() == v1::OUTCOME_STATE_PENDING);
  room.Release();
  CHECK(room.Told(0).state() == v1::OUTCOME_STATE_SETTLED);
}

TEST_CASE("the range of a commit begins where what is durable ends") {
  OutcomesRoom room(v1::GROUP_MODE_STREAM, 5);
  room.engine->HoldDone();
  room.engine->FailNextWrite(Error(v1::OUTCOME_UNKNOWN, "the disk is gone"));
  const auto failed = room.Commit(3);
  const auto written = room.Commit(5);
  room.Release();
  REQUIRE(failed->has_value());
  CHECK_FALSE((*failed)->ok());
  REQUIRE(written->has_value());
  CHECK_OK(**written);
  for (int64_t offset = 0; offset < 5; ++offset) {
    INFO("offset " << offset);
    CHECK(room.Told(offset).state() == v1::OUTCOME_STATE_PROCESSED);
    CHECK(room.Told(offset).member_id() == "worker-1");
  }
}

TEST_CASE("who redrove an event is told, also when it is processed") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 1);
  room.RejectAll(1);
  CHECK(room.Told(0).state() == v1::OUTCOME_STATE_DEAD_LETTERED);
  for (const char* principal : {"ann", "bob"}) {
    v1::RedriveDeadLettersRequest request;
    request.set_group("workers");
    *request.mutable_selection() = OutcomesRoom::Letter(0);
    REQUIRE_OK(room.groups->RedriveDeadLetters(OutcomesRoom::Named(principal), request));
    CHECK(room.Told(0).redriven_by() == principal);
    REQUIRE(room.Take() == 1);
    if (room.Told(0).redrives() == 1) room.Settle(Kind::kReject, 0);
  }
  room.Settle(Kind::kAck, 0);
  const v1::GroupOutcome outcome = room.Told(0);
  CHECK(outcome.state() == v1::OUTCOME_STATE_PROCESSED);
  CHECK(outcome.redrives() == 2);
  CHECK(outcome.redriven_by() == "bob");
  CHECK(outcome.failed_attempts_size() == 2);
  CHECK(outcome.by().empty());
}

TEST_CASE("a redrive with a rate is told as of who started it, also after a crash") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 2);
  room.RejectAll(2);
  v1::StartRedriveRequest request;
  request.set_group("workers");
  request.mutable_selection()->set_all(true);
  request.set_rate(1);
  REQUIRE_OK(room.groups->StartRedrive(OutcomesRoom::Named("ann"), request));
  room.timer.Advance(absl::Milliseconds(1));
  room.pool.RunAll();
  CHECK(room.Told(0).redriven_by() == "ann");
  CHECK(room.Told(1).state() == v1::OUTCOME_STATE_DEAD_LETTERED);
  CHECK(room.Told(1).redriven_by().empty());
  room.LeaveAndRestart();
  room.timer.Advance(absl::Seconds(2));
  room.pool.RunAll();
  for (int64_t offset = 0; offset < 2; ++offset) {
    CHECK(room.Told(offset).redrives() == 1);
    CHECK(room.Told(offset).redriven_by() == "ann");
  }
}

TEST_CASE("a dead letter that was discarded says by whom") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 1);
  room.RejectAll(1);
  SECTION("by somebody") {
    v1::DiscardDeadLettersRequest request;
    request.set_group("workers");
    *request.mutable_selection() = OutcomesRoom::Letter(0);
    REQUIRE_OK(room.groups->DiscardDeadLetters(OutcomesRoom::Named("ann"), request));
    CHECK(room.Told(0).by() == "ann");
    CHECK(room.Told(0).why().empty());
  }
  SECTION("or that its retention is over") {
    room.engine->Advance(OutcomesRoom::kRetention + absl::Seconds(1));
    room.timer.Advance(absl::Minutes(10));
    room.pool.RunAll();
    CHECK(room.Told(0).by().empty());
    CHECK(room.Told(0).why() == "the retention of dead letters is over");
  }
  CHECK(room.Told(0).state() == v1::OUTCOME_STATE_DISCARDED);
  CHECK(room.Told(0).failed_attempts_size() == 1);
}

// What takes the place of event "e0".
QueueStep EditOf(const OutcomesRoom& room) {
  v1::PartitionBatch batch;
  *batch.add_events() = JourneyRoom::Event("corrected", "", "e0");
  QueueStep step;
  Append& append = step.appends.emplace_back();
  append.partition = room.partition;
  append.payload = SharedBytes(batch.SerializeAsString());
  append.count = 1;
  step.done = [](const TransactionResult&) {};
  return step;
}

TEST_CASE("a dead letter that was edited is discarded, and caused what took its place") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 1);
  room.RejectAll(1);
  v1::EditDeadLetterRequest request;
  request.set_group("workers");
  request.mutable_ref()->set_topic("orders");
  QueueStep refused = EditOf(room);
  refused.appends[0].expected_end = Offset(7);
  REQUIRE_OK(
      room.groups->ReplaceDeadLetter(OutcomesRoom::Named("bob"), request, std::move(refused)));
  room.pool.RunAll();
  CHECK(room.Told(0).state() == v1::OUTCOME_STATE_DEAD_LETTERED);
  REQUIRE_OK(room.groups->ReplaceDeadLetter(OutcomesRoom::Named("ann"), request, EditOf(room)));
  room.pool.RunAll();
  const v1::GroupOutcome outcome = room.Told(0);
  CHECK(outcome.state() == v1::OUTCOME_STATE_DISCARDED);
  CHECK(outcome.by() == "ann");
  CHECK(outcome.why() == "an edited event took its place");
  CHECK(outcome.failed_attempts_size() == 1);
  CHECK(outcome.redrives() == 0);
  CHECK(room.Told(1).state() == v1::OUTCOME_STATE_PENDING);
  const auto journey = room.Get(JourneyRoom::ByEvent("e0"));
  CHECK(JourneyRoom::Edges(journey) == std::vector<std::string>{"e0", "e0>corrected"});
}

TEST_CASE("an event that is skipped while a step that fails it is written is told as skipped") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 2);
  REQUIRE(room.Take() == 2);
  room.engine->HoldDone();
  room.FailInStep(AttemptEnd::kReject, 0);
  room.Skip(0);
  room.Release();
  room.CheckSkipped(0);
  room.engine->HoldDone();
  room.FailInStep(AttemptEnd::kNack, 1);
  room.Skip(1);
  room.Release();
  room.CheckSkipped(1);
}

TEST_CASE("of an event that is skipped before a step that fails it is written nothing is written") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 3);
  REQUIRE(room.Take() == 3);
  room.engine->HoldDone();
  room.Settle(Kind::kAck, 0);  // The steps wait for that.
  room.FailInStep(AttemptEnd::kReject, 1);
  room.FailInStep(AttemptEnd::kNack, 2);
  room.Skip(1);
  room.Skip(2);
  room.engine->ReleaseOne();
  room.pool.RunAll();
  REQUIRE(room.engine->held() == 1);  // As kill -9 would find it.
  for (const char* rows : {"deadletter/", "parked/", "attempt/"}) {
    CHECK(room.engine->LoadRows(Family::kState, rows)->empty());
  }
  room.Release();
  for (const int64_t offset : {1, 2}) {
    room.CheckSkipped(offset);
    CHECK(room.Told(offset).failed_attempts().empty());
  }
}

TEST_CASE("an event that failed is told as skipped when it was, also by one write") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 2);
  REQUIRE(room.Take() == 2);
  room.engine->HoldDone();
  room.Settle(Kind::kAck, 0);  // The others wait for that.
  room.Settle(Kind::kNack, 1, absl::Hours(1));
  room.Skip(1);
  room.Release();
  room.CheckSkipped(1);
  CHECK(room.Told(1).failed_attempts_size() == 1);
}

TEST_CASE("an event that failed is told as processed when it was, also by one write") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 2);
  REQUIRE(room.Take() == 2);
  room.engine->HoldDone();
  room.Settle(Kind::kAck, 0);  // The others wait for that.
  room.Settle(Kind::kNack, 1, absl::ZeroDuration());
  REQUIRE(room.Take() == 1);
  room.Settle(Kind::kAck, 1);
  room.Release();
  CHECK(room.Told(1).state() == v1::OUTCOME_STATE_PROCESSED);
  CHECK(room.Told(1).member_id() == "worker-1");
  CHECK(room.Told(1).failed_attempts_size() == 1);
}

TEST_CASE("the ledger is written with what it is about, in no write of its own") {
  for (const auto mode : {v1::JOURNEY_MODE_FULL, v1::JOURNEY_MODE_OFF}) {
    INFO(v1::JourneyMode_Name(mode));
    OutcomesRoom room(v1::GROUP_MODE_QUEUE, 5);
    room.SetMode("orders", mode);
    REQUIRE(room.Take() == 5);
    room.pool.RunAll();
    room.engine->HoldDone();
    for (int64_t offset = 0; offset < 3; ++offset) {
      const size_t before = room.engine->held();
      room.Settle(Kind::kAck, offset);
      room.pool.RunAll();
      CHECK(room.engine->held() == before + (offset == 0 ? 1 : 0));  // The next wait for the first.
    }
    room.Release();
    CHECK(room.engine->held() == 0);
    if (mode == v1::JOURNEY_MODE_FULL) {
      CHECK(room.Told(2).state() == v1::OUTCOME_STATE_PROCESSED);
    }
  }
}

TEST_CASE("a QUEUE group tells of what it settles once the topic's journeys are switched on") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 5, absl::ZeroDuration(), v1::JOURNEY_MODE_OFF);
  REQUIRE(room.Take() == 5);
  room.pool.RunAll();
  SECTION("by itself") {
    room.SetMode("orders", v1::JOURNEY_MODE_FULL);
    room.Settle(Kind::kAck, 0);
    room.Settle(Kind::kNack, 2, absl::Hours(1));
    room.Settle(Kind::kReject, 3);
    room.pool.RunAll();
    CHECK(room.Told(3).state() == v1::OUTCOME_STATE_DEAD_LETTERED);
  }
  SECTION("in steps") {
    room.SetMode("orders", v1::JOURNEY_MODE_FULL);
    room.SettleInStep(std::nullopt, 0);
    room.pool.RunAll();
    room.SettleInStep(std::nullopt, 1);
    room.SettleInStep(AttemptEnd::kNack, 2);
    room.pool.RunAll();
    CHECK(room.Told(1).state() == v1::OUTCOME_STATE_PROCESSED);
  }
  CHECK(room.Told(0).state() == v1::OUTCOME_STATE_PROCESSED);
  CHECK(room.Told(0).member_id() == "worker-1");
  CHECK(room.Told(2).failed_attempts_size() == 1);
}

TEST_CASE("a redrive is told when the topic's journeys were switched on since the group read") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 1, absl::ZeroDuration(), v1::JOURNEY_MODE_OFF);
  room.RejectAll(1);
  room.SetMode("orders", v1::JOURNEY_MODE_FULL);
  v1::RedriveDeadLettersRequest request;
  request.set_group("workers");
  *request.mutable_selection() = OutcomesRoom::Letter(0);
  REQUIRE_OK(room.groups->RedriveDeadLetters(OutcomesRoom::Named("ann"), request));
  CHECK(room.Told(0).redriven_by() == "ann");
}

TEST_CASE("a QUEUE group tells nothing of what it settles once journeys are switched off") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 3);
  REQUIRE(room.Take() == 3);
  room.pool.RunAll();
  room.SetMode("orders", v1::JOURNEY_MODE_OFF);
  room.SettleInStep(std::nullopt, 0);
  room.SettleInStep(AttemptEnd::kReject, 1);
  room.Settle(Kind::kAck, 2);
  room.pool.RunAll();
  CHECK(room.engine->Extent(kLedgerPartition)->visible_end == Offset(0));
}

TEST_CASE("an event that waited far behind is told as skipped when a reset leaves it out") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 10);
  REQUIRE(room.Take() == 10);
  room.Settle(Kind::kNack, 0, absl::Hours(1));
  for (int64_t offset = 1; offset < 10; ++offset) room.Settle(Kind::kAck, offset);
  SECTION("to where the group is") {
    room.Reset(10);
    CHECK(room.Told(7).state() == v1::OUTCOME_STATE_PROCESSED);
  }
  SECTION("to where others are to be processed again") {
    room.Reset(5);
    CHECK(room.Told(4).state() == v1::OUTCOME_STATE_PROCESSED);
    CHECK(room.Told(5).state() == v1::OUTCOME_STATE_PENDING);
  }
  room.CheckSkipped(0);
  CHECK(room.Told(0).failed_attempts_size() == 1);
}

TEST_CASE("what is skipped after a reset to where the oldest was outstanding is told as skipped") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 10);
  REQUIRE(room.Take() == 10);
  for (int64_t offset = 1; offset < 10; ++offset) room.Settle(Kind::kAck, offset);
  room.Reset(0);
  v1::SkipOffsetsRequest skip;
  skip.set_group("workers");
  skip.set_topic("orders");
  skip.set_offset(3);
  skip.set_reason("a test");
  const auto skipped = room.groups->Skip(OutcomesRoom::Named("ann"), skip);
  REQUIRE_OK(skipped.status());
  CHECK(skipped->skipped() == 1);
  room.CheckSkipped(3);
  CHECK(room.Told(4).state() == v1::OUTCOME_STATE_PENDING);
}

TEST_CASE("an event that is pending again is not told with who skipped it before") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 10);
  REQUIRE(room.Take() == 10);
  for (int64_t offset = 1; offset < 10; ++offset) room.Settle(Kind::kAck, offset);
  room.Reset(10);
  room.CheckSkipped(0);
  room.SetMode("orders", v1::JOURNEY_MODE_OFF);  // The ledger is not told of what comes now.
  room.Reset(0);
  const v1::GroupOutcome outcome = room.Told(0);
  CHECK(outcome.state() == v1::OUTCOME_STATE_PENDING);
  CHECK(outcome.by().empty());
  CHECK(outcome.why().empty());
}

TEST_CASE("an event that failed is told as expired when it was, also by one write") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 1, absl::Seconds(10));
  REQUIRE(room.Take() == 1);
  room.engine->Advance(absl::Minutes(1));  // Its lease ends, and it is nobody's business any more.
  room.timer.Advance(absl::Minutes(1));
  room.pool.RunAll();
  CHECK(room.Told(0).state() == v1::OUTCOME_STATE_EXPIRED);
  CHECK(room.Told(0).failed_attempts_size() == 1);
}

}  // namespace
}  // namespace acta
