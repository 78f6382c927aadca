// What is known of what groups did, where the ledger has or gives only a part of it.
#include "proto/support/error.h"
#include "tests/unit/journeys/outcomes_room.h"

namespace acta {
namespace {

using Kind = QueueSettlement::Kind;

v1::Answer AnswerAt(const OutcomesRoom& room, int64_t offset, v1::Question question) {
  v1::AskQuestionsRequest request;
  *request.mutable_selection() = JourneyRoom::ByPosition("orders", 0, offset).selection();
  const auto told = room.journeys->Ask(room.caller, request);
  REQUIRE_OK(told.status());
  for (const v1::Answer& answer : told->answers()) {
    if (answer.question() == question) return answer;
  }
  return {};
}

v1::Certainty CertaintyAt(const OutcomesRoom& room, int64_t offset, v1::Question question) {
  return AnswerAt(room, offset, question).certainty();
}

TEST_CASE("what the disk does not give of the ledger for a moment is told as that") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 1);
  REQUIRE(room.Take() == 1);
  room.Settle(Kind::kAck, 0);
  room.pool.RunAll();
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  room.engine->SetCachedReads(false);
  const auto lacks = [&room](const ErrorDetails& details) {
    room.engine->FailReadsAt(kLedgerPartition, Offset(0),
                             Error(v1::DATA_CORRUPTED, "cannot be read", details));
    CHECK(room.Get(JourneyRoom::ByPosition("orders", 0, 0)).truncated());
    const v1::Answer answer = AnswerAt(room, 0, v1::QUESTION_WHO_PROCESSED);
    CHECK(answer.certainty() == v1::CERTAINTY_PARTIAL);
    return answer.why();
  };
  CHECK(lacks({{kIoErrorDetail, "true"}}) == "the disk did not give a part of what groups did");
  CHECK(lacks({}) == "a part of what groups did is damaged on the disk");
  room.engine->FailReadsAt(kLedgerPartition, Offset(0), absl::OkStatus());
  CHECK_FALSE(room.Get(JourneyRoom::ByPosition("orders", 0, 0)).truncated());
  CHECK(CertaintyAt(room, 0, v1::QUESTION_WHO_PROCESSED) == v1::CERTAINTY_KNOWN);
}

TEST_CASE("what a group did is known in part while the disk does not give some of the ledger") {
  JourneyLimits limits;
  limits.io_patience = absl::ZeroDuration();
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 2, absl::ZeroDuration(), v1::JOURNEY_MODE_FULL, limits);
  REQUIRE(room.Take() == 2);
  room.Settle(Kind::kAck, 0);
  room.pool.RunAll();
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  CHECK(CertaintyAt(room, 0, v1::QUESTION_WHO_PROCESSED) == v1::CERTAINTY_KNOWN);
  room.engine->SetCachedReads(false);
  room.engine->FailNextRead(
      Error(v1::DATA_CORRUPTED, "cannot be read", {{"first_lost", "0"}, {kIoErrorDetail, "true"}}));
  room.Settle(Kind::kAck, 1);
  room.pool.RunAll();
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  REQUIRE(room.indexer->Measure().missed_events == 1);
  CHECK(CertaintyAt(room, 0, v1::QUESTION_WHO_PROCESSED) == v1::CERTAINTY_PARTIAL);
}

TEST_CASE("what a group did is known in part when the index found some of the ledger damaged") {
  JourneyLimits limits;
  limits.buffer_bytes = 1;  // What is read next is read behind a file.
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 2, absl::ZeroDuration(), v1::JOURNEY_MODE_FULL, limits);
  REQUIRE(room.Take() == 2);
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  CHECK(CertaintyAt(room, 1, v1::QUESTION_WHO_FAILED) == v1::CERTAINTY_KNOWN);
  room.engine->SetCachedReads(false);
  room.engine->FailNextRead(Error(v1::DATA_CORRUPTED, "damaged", {{"first_lost", "0"}}));
  room.Settle(Kind::kNack, 1, absl::ZeroDuration());
  room.pool.RunAll();
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  REQUIRE(room.indexer->Measure().unreadable_events == 1);
  room.engine->SetCachedReads(true);
  REQUIRE(room.Take() == 1);
  room.Settle(Kind::kAck, 1);
  room.pool.RunAll();
  CHECK(room.Told(1).state() == v1::OUTCOME_STATE_PROCESSED);
  CHECK(CertaintyAt(room, 1, v1::QUESTION_WHO_FAILED) == v1::CERTAINTY_PARTIAL);
  room.Publish("orders", JourneyRoom::Event("younger"));
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  CHECK(CertaintyAt(room, 2, v1::QUESTION_WHO_FAILED) == v1::CERTAINTY_KNOWN);
  // A later life reads on behind what is damaged.
  room.LeaveAndRestart();
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  for (const int64_t offset : {0, 1}) {
    CHECK(CertaintyAt(room, offset, v1::QUESTION_WHO_FAILED) == v1::CERTAINTY_PARTIAL);
  }
  CHECK(CertaintyAt(room, 2, v1::QUESTION_WHO_FAILED) == v1::CERTAINTY_KNOWN);
  room.engine->TrimTo(kLedgerPartition, Offset(1));
  // What was damaged is gone, with all that groups did then.
  CHECK(AnswerAt(room, 0, v1::QUESTION_WHO_FAILED).certainty() == v1::CERTAINTY_PARTIAL);
  CHECK(AnswerAt(room, 0, v1::QUESTION_WHO_FAILED).remedy() ==
        "storage.ledger_retention says how long the ledger is kept");
  CHECK(CertaintyAt(room, 2, v1::QUESTION_WHO_FAILED) == v1::CERTAINTY_KNOWN);
}

TEST_CASE("what groups did with an event that cannot be read is known when its topic is new") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 1);
  REQUIRE(room.Take() == 1);
  room.Settle(Kind::kAck, 0);
  room.pool.RunAll();
  room.engine->TrimTo(kLedgerPartition, Offset(1));
  room.engine->Advance(absl::Milliseconds(1));
  room.CreateTopic("younger");
  room.Publish("younger", JourneyRoom::Event("y"));
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  for (const char* const topic : {"orders", "younger"}) {
    room.engine->CorruptBatch(room.topics->Find("default", topic)->partition(0), Offset(0));
  }
  CHECK(CertaintyAt(room, 0, v1::QUESTION_WHO_PROCESSED) == v1::CERTAINTY_PARTIAL);
  v1::AskQuestionsRequest request;
  *request.mutable_selection() = JourneyRoom::ByPosition("younger", 0, 0).selection();
  const auto asked = room.journeys->Ask(room.caller, request);
  REQUIRE_OK(asked.status());
  CHECK(asked->event().state() == v1::JOURNEY_EVENT_STATE_UNREADABLE);
  const v1::Answer& processed = asked->answers(v1::QUESTION_WHO_PROCESSED - 1);
  CHECK(processed.certainty() == v1::CERTAINTY_KNOWN);
}

TEST_CASE("what a QUEUE group did is known in part where no ledger is kept") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 1);
  room.engine->DropTopic(kLedgerTopic);
  REQUIRE(room.Take() == 1);
  room.Settle(Kind::kNack, 0, absl::Hours(1));
  room.pool.RunAll();
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  CHECK(room.Told(0).state() == v1::OUTCOME_STATE_RETRY_WAIT);
  CHECK(CertaintyAt(room, 0, v1::QUESTION_WHO_FAILED) == v1::CERTAINTY_PARTIAL);
}

TEST_CASE(
    "what a QUEUE group did is known in part of events from before journeys were switched on") {
  const auto before = GENERATE(v1::JOURNEY_MODE_FULL, v1::JOURNEY_MODE_OFF);
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 1, absl::ZeroDuration(), before);
  if (before != v1::JOURNEY_MODE_OFF) room.SetMode("orders", v1::JOURNEY_MODE_OFF);
  REQUIRE(room.Take() == 1);
  room.Settle(Kind::kNack, 0, absl::ZeroDuration());
  room.pool.RunAll();
  room.SetMode("orders", v1::JOURNEY_MODE_FULL);
  REQUIRE(room.Take() == 1);
  room.Settle(Kind::kAck, 0);
  room.pool.RunAll();
  room.Publish("orders", JourneyRoom::Event("younger"));
  const auto check = [&] {
    REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
    const v1::GroupOutcome outcome = room.Told(0);
    CHECK(outcome.state() == v1::OUTCOME_STATE_PROCESSED);
    CHECK(outcome.failed_attempts().empty());
    CHECK(CertaintyAt(room, 0, v1::QUESTION_WHO_FAILED) == v1::CERTAINTY_PARTIAL);
    CHECK(CertaintyAt(room, 1, v1::QUESTION_WHO_FAILED) == v1::CERTAINTY_KNOWN);
  };
  check();
  room.SetMode("orders", v1::JOURNEY_MODE_CORRELATION);  // Off it was not meanwhile.
  check();
  room.LeaveAndRestart();
  check();
}

}  // namespace
}  // namespace acta
