#include "server/core/journeys/questions.h"

#include <catch2/catch.hpp>

#include "absl/strings/match.h"
#include "proto/support/proto_time.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/journeys/outcomes_room.h"

namespace acta {
namespace {

using Lines = std::vector<std::string>;

template <typename Answers>
Lines LinesOf(const Answers& answers, v1::Question question) {
  for (const v1::Answer& answer : answers) {
    if (answer.question() == question) return {answer.lines().begin(), answer.lines().end()};
  }
  return {};
}

v1::Certainty CertaintyOf(const std::vector<v1::Answer>& answers, v1::Question question) {
  for (const v1::Answer& answer : answers) {
    if (answer.question() == question) return answer.certainty();
  }
  return v1::CERTAINTY_UNSPECIFIED;
}

Lines AskRoom(const JourneyRoom& room, const std::string& id, v1::Question question) {
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  v1::AskQuestionsRequest request;
  request.mutable_selection()->mutable_event()->set_id(id);
  const auto asked = room.journeys->Ask(room.caller, request);
  REQUIRE_OK(asked.status());
  return LinesOf(asked->answers(), question);
}

std::vector<v1::Answer> AskAtFirst(const JourneyRoom& room) {
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  v1::AskQuestionsRequest request;
  *request.mutable_selection() = JourneyRoom::ByPosition("orders", 0, 0).selection();
  const auto asked = room.journeys->Ask(room.caller, request);
  REQUIRE_OK(asked.status());
  return {asked->answers().begin(), asked->answers().end()};
}

// What is said of how often it was published; empty: nothing.
std::string CopiesOf(const JourneyRoom& room, const std::string& id) {
  for (const std::string& line : AskRoom(room, id, v1::QUESTION_WHERE_FROM)) {
    if (absl::StrContains(line, "under this id")) return line;
  }
  return "";
}

TEST_CASE("an event that was published again is told with its places, the newest first") {
  JourneyRoom room;
  room.CreateTopic("orders");
  room.CreateTopic("secret");
  room.Publish("orders", JourneyRoom::Event("a"));
  CHECK(CopiesOf(room, "a").empty());
  room.Publish("orders", 1, {JourneyRoom::Event("a")});
  room.Publish("orders", JourneyRoom::Event("a"));
  room.Publish("secret", JourneyRoom::Event("a"));
  room.authorizer.closed.insert("secret");
  CHECK(CopiesOf(room, "a") ==
        "published 3 times under this id, the newest first: orders/0/1, orders/1/0, orders/0/0");
}

TEST_CASE("that one of several events of an id could not be read, and may be the newest, is told") {
  JourneyRoom room;
  room.CreateTopic("orders");
  for (const int32_t partition : {0, 1}) {
    room.Publish("orders", partition, {JourneyRoom::Event("a")});
  }
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  room.engine->SetCachedReads(false);
  room.engine->FailReadsAt(
      room.topics->Find("default", "orders")->partition(1), Offset(0),
      Error(v1::DATA_CORRUPTED, "the disk does not answer", {{kIoErrorDetail, "true"}}));
  const auto asked = [&room](const v1::JourneySelection& selection) {
    v1::AskQuestionsRequest request;
    *request.mutable_selection() = selection;
    const auto told = room.journeys->Ask(room.caller, request);
    REQUIRE_OK(told.status());
    CHECK(told->event().position().partition() == 0);
    return told->answers(0).why();
  };
  CHECK(asked(JourneyRoom::ByEvent("a").selection()) ==
        "some events of this id could not be read: one of them may be newer");
  CHECK(asked(JourneyRoom::ByPosition("orders", 0, 0).selection()) ==
        "the producer did not say which application it is");
}

TEST_CASE("that events of several sources have an id is told, and not where one is named") {
  JourneyRoom room;
  room.CreateTopic("orders", 1);
  v1::BatchContext context;
  context.set_app("shop");
  for (const char* const source : {"/shop", "/shop", "/store"}) {
    v1::Event event = JourneyRoom::Event("a");
    event.set_source(source);
    room.Publish("orders", event, context);
  }
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  const auto why = [&room](const std::string& source) {
    v1::AskQuestionsRequest request;
    *request.mutable_selection() = JourneyRoom::ByEvent("a", source).selection();
    const auto asked = room.journeys->Ask(room.caller, request);
    REQUIRE_OK(asked.status());
    return asked->answers(0).why();
  };
  CHECK(why("") == "events of several sources have this id: it is about the newest of them");
  CHECK(why("/shop").empty());
  CHECK(why("/store").empty());
}

TEST_CASE("of an event that was published often ten places are named") {
  JourneyRoom room;
  room.CreateTopic("t");
  for (int i = 0; i < 10; ++i) room.Publish("t", JourneyRoom::Event("a"));
  const std::string ten = "t/0/9, t/0/8, t/0/7, t/0/6, t/0/5, t/0/4, t/0/3, t/0/2, t/0/1, t/0/0";
  CHECK(CopiesOf(room, "a") == "published 10 times under this id, the newest first: " + ten);
  room.Publish("t", 1, {JourneyRoom::Event("a")});
  room.Publish("t", 1, {JourneyRoom::Event("a")});
  CHECK(CopiesOf(room, "a") ==
        "published 12 times under this id, the newest first: t/1/1, t/1/0, "
        "t/0/9, t/0/8, t/0/7, t/0/6, t/0/5, t/0/4, t/0/3, t/0/2 and 2 more");
}

TEST_CASE("of ten thousand events of one id and more the questions are about the newest") {
  constexpr int kInBatch = 1'005;
  JourneyRoom room;
  room.CreateTopic("t", 1);
  const std::vector<v1::Event> batch(kInBatch, JourneyRoom::Event("a"));
  for (int i = 0; i < 10; ++i) room.Publish("t", 0, batch);
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  v1::AskQuestionsRequest request;
  request.mutable_selection()->mutable_event()->set_id("a");
  const FakeClock clock;  // There is time for all of them.
  const auto asked = room.JourneysBy(clock).Ask(room.caller, request);
  REQUIRE_OK(asked.status());
  CHECK(asked->event().position().offset() == 10'049);
  const std::string copies = LinesOf(asked->answers(), v1::QUESTION_WHERE_FROM).at(1);
  CHECK(absl::StartsWith(copies,
                         "published 10050 times under this id, the newest first: t/0/10049,"));
  CHECK(absl::EndsWith(copies, " t/0/10040 and 10040 more"));
}

TEST_CASE("that there was no time to look at all events of an id is told") {
  v1::JourneyEvent event;
  event.set_app("shop");
  QuestionFacts facts;
  facts.event = &event;
  facts.copies = 3;
  facts.all_copies = false;
  const std::vector<v1::Answer> answers = AnswerQuestions(facts);
  CHECK(CertaintyOf(answers, v1::QUESTION_WHERE_FROM) == v1::CERTAINTY_PARTIAL);
  CHECK(LinesOf(answers, v1::QUESTION_WHERE_FROM) ==
        Lines{"published by shop as nobody", "published at least 3 times under this id",
              "no event caused it: it begins a journey, or nobody said so"});
}

// May not browse "secret", and to be told so takes three seconds of its clock.
class SlowRefusal final : public Authorizer {
 public:
  absl::Status Authorize(const Caller&, Verb, const Resource& resource) const override {
    if (resource.name != "secret") return absl::OkStatus();
    clock.Advance(absl::Seconds(3));
    return Error(v1::PERMISSION_DENIED, "closed");
  }
  mutable FakeClock clock;
};

TEST_CASE("a cause is looked for although the time for copies of its effect is over") {
  // At 300 copies that one may not browse, more than are looked at at a time, its own is over too.
  const int copies = GENERATE(1, 300);
  JourneyRoom room;
  room.CreateTopic("secret", 1);
  room.CreateTopic("orders", 1);
  v1::BatchContext context;
  context.set_app("shop");
  room.Publish("secret", 0, std::vector<v1::Event>(copies, JourneyRoom::Event("cause")));
  room.Publish("secret", JourneyRoom::Event("effect", "", "cause"));
  room.Publish("orders", JourneyRoom::Event("cause"), context);
  room.Publish("orders", JourneyRoom::Event("effect", "", "cause"), context);
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  SlowRefusal slow;
  const Journeys journeys(
      {*room.engine, slow.clock, *room.topics, slow, *room.indexer, *room.groups, room.pool});
  v1::AskQuestionsRequest request;
  request.mutable_selection()->mutable_event()->set_id("effect");
  const auto asked = journeys.Ask(room.caller, request);
  REQUIRE_OK(asked.status());
  const v1::Answer& answer = asked->answers(0);
  REQUIRE(answer.question() == v1::QUESTION_WHERE_FROM);
  CHECK(answer.why() ==
        (copies == 1 ? "" : "there was no time to look for the event that caused it, cause"));
  CHECK(answer.certainty() == (copies == 1 ? v1::CERTAINTY_KNOWN : v1::CERTAINTY_PARTIAL));
}

TEST_CASE("that a cause, or a newer event of an id, may be not indexed yet is told") {
  JourneyRoom room;
  room.CreateTopic("orders", 1);
  v1::BatchContext context;
  context.set_app("shop");
  room.Publish("orders", JourneyRoom::Event("effect", "", "cause"), context);
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  const auto why = [&room](const v1::JourneySelection& selection) {
    v1::AskQuestionsRequest request;
    *request.mutable_selection() = selection;
    const auto asked = room.journeys->Ask(room.caller, request);
    REQUIRE_OK(asked.status());
    CHECK(asked->answers(0).certainty() == v1::CERTAINTY_PARTIAL);
    return asked->answers(0).why();
  };
  const v1::JourneySelection by_id = JourneyRoom::ByEvent("effect").selection();
  const v1::JourneySelection by_place = JourneyRoom::ByPosition("orders", 0, 0).selection();
  const std::string nowhere = "the event that caused it, cause, is nowhere to be found";
  CHECK(why(by_id) == nowhere);
  CHECK(why(by_place) == nowhere);
  room.indexer->Stop();  // It reads nothing any more.
  room.Publish("orders", JourneyRoom::Event("cause"), context);
  CHECK(why(by_id) == "one of the events that are not indexed yet may be a newer one of this id");
  CHECK(why(by_place) ==
        "the event that caused it, cause, is not found, and may be one of those that are not "
        "indexed yet");
}

TEST_CASE("who received an event of a range is told with the time of its commit") {
  v1::JourneyEvent event;
  const auto add = [&](const std::string& group, const std::string& member, bool of_range) {
    v1::GroupOutcome* const outcome = event.add_groups();
    outcome->set_group(group);
    outcome->set_state(v1::OUTCOME_STATE_PROCESSED);
    outcome->set_of_range(of_range);
    outcome->set_member_id(member);
    SetTimeUs(1'517'363'399'650'123, outcome->mutable_end_time());
    return outcome;
  };
  add("analytics", "a.1", true);
  add("import", "", true);  // Committed from outside.
  add("old", "o.1", true)->clear_end_time();
  SetTimeUs(1'517'363'399'000'000, add("billing", "b.1", false)->mutable_deliver_time());
  v1::GroupOutcome* const audit = add("audit", "", false);
  audit->set_mode(v1::GROUP_MODE_QUEUE);
  audit->set_state(v1::OUTCOME_STATE_PENDING);
  QuestionFacts facts;
  facts.event = &event;
  CHECK(LinesOf(AnswerQuestions(facts), v1::QUESTION_WHO_RECEIVED) ==
        Lines{"analytics: a.1 by 2018-01-31 01:49:59.650Z, when the range was committed",
              "import: somebody by 2018-01-31 01:49:59.650Z, when the range was committed",
              "old: o.1", "billing: b.1 at 2018-01-31 01:49:59.000Z", "audit: nobody (pending)"});
}

// What groups did is known where all of the ledger was read, and else in part.
void CheckThatTheLedgerAloneMakesItKnown(QuestionFacts facts) {
  using Ledger = QuestionFacts::Ledger;
  for (const Ledger ledger :
       {Ledger::kRead, Ledger::kTooMuch, Ledger::kBehind, Ledger::kDamaged, Ledger::kNotGiven,
        Ledger::kShort, Ledger::kOff, Ledger::kWasOff, Ledger::kNone}) {
    INFO("ledger " << static_cast<int>(ledger));
    facts.ledger = ledger;
    const auto certainty = ledger == Ledger::kRead ? v1::CERTAINTY_KNOWN : v1::CERTAINTY_PARTIAL;
    const std::vector<v1::Answer> answers = AnswerQuestions(facts);
    for (const auto question :
         {v1::QUESTION_WHO_RECEIVED, v1::QUESTION_WHO_PROCESSED, v1::QUESTION_WHO_FAILED}) {
      INFO(v1::Question_Name(question));
      CHECK(CertaintyOf(answers, question) == certainty);
    }
  }
}

TEST_CASE("what waits for a retry is known in part when the ledger does not tell everything") {
  v1::JourneyEvent event;
  v1::GroupOutcome* const outcome = event.add_groups();
  outcome->set_group("workers");
  outcome->set_mode(v1::GROUP_MODE_QUEUE);
  QuestionFacts facts;
  facts.event = &event;
  for (const auto state : {v1::OUTCOME_STATE_RETRY_WAIT, v1::OUTCOME_STATE_LEASED}) {
    outcome->set_state(state);
    INFO(v1::OutcomeState_Name(state));
    CheckThatTheLedgerAloneMakesItKnown(facts);
  }
}

TEST_CASE("that no group did anything is known in part when the ledger does not tell everything") {
  const v1::JourneyEvent event;
  QuestionFacts facts;
  facts.event = &event;
  CheckThatTheLedgerAloneMakesItKnown(facts);
}

TEST_CASE("what a group did is known in part of events that are older than the ledger") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 1);
  REQUIRE(room.Take() == 1);
  room.Settle(QueueSettlement::Kind::kNack, 0, absl::ZeroDuration());
  room.pool.RunAll();
  REQUIRE(room.Take() == 1);
  room.Settle(QueueSettlement::Kind::kAck, 0);
  room.pool.RunAll();
  room.Publish("orders", JourneyRoom::Event("younger"));
  const auto failed = [&room](const std::string& id) {
    REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
    v1::AskQuestionsRequest request;
    *request.mutable_selection() = JourneyRoom::ByEvent(id).selection();
    const auto asked = room.journeys->Ask(room.caller, request);
    REQUIRE_OK(asked.status());
    return CertaintyOf({asked->answers().begin(), asked->answers().end()}, v1::QUESTION_WHO_FAILED);
  };
  CHECK(failed("e0") == v1::CERTAINTY_KNOWN);
  room.engine->TrimTo(kLedgerPartition, Offset(1));  // That it failed.
  CHECK(room.Told(0).failed_attempts().empty());
  CHECK(failed("e0") == v1::CERTAINTY_PARTIAL);
  CHECK(failed("younger") == v1::CERTAINTY_KNOWN);
}

TEST_CASE("a STREAM group has received what it committed") {
  JourneyRoom room;
  room.CreateTopic("orders");
  v1::CreateGroupRequest group;
  group.mutable_group()->set_name("analytics");
  group.mutable_group()->add_topics("orders");
  group.mutable_start()->set_earliest(true);
  REQUIRE_OK(room.groups->Create(room.caller, group));
  room.Publish("orders", 0, {JourneyRoom::Event("a"), JourneyRoom::Event("b")});
  v1::CommitOffsetsRequest commit;
  commit.set_group("analytics");
  commit.add_offsets()->set_topic("orders");
  commit.mutable_offsets(0)->set_offset(1);
  REQUIRE_OK(room.groups->CommitOffsets(room.caller, commit));
  const Lines received = AskRoom(room, "a", v1::QUESTION_WHO_RECEIVED);
  REQUIRE(received.size() == 1);
  CHECK(absl::StartsWith(received[0], "analytics: somebody by "));
  CHECK(absl::EndsWith(received[0], "Z, when the range was committed"));
  CHECK(AskRoom(room, "b", v1::QUESTION_WHO_RECEIVED) == Lines{"analytics: not known (pending)"});
}

TEST_CASE("what a STREAM group has in hand is not called known before it commits") {
  OutcomesRoom room(v1::GROUP_MODE_STREAM, 1);
  const std::vector<v1::Answer> answers = AskAtFirst(room);
  for (const auto question :
       {v1::QUESTION_WHO_RECEIVED, v1::QUESTION_WHO_PROCESSED, v1::QUESTION_WHO_FAILED}) {
    CHECK(CertaintyOf(answers, question) == v1::CERTAINTY_PARTIAL);
  }
  CHECK(LinesOf(answers, v1::QUESTION_WHO_RECEIVED) == Lines{"workers: not known (pending)"});
}

TEST_CASE("that a group is past an event, and the ledger does not say how, is not called nobody") {
  v1::JourneyEvent event;
  v1::GroupOutcome* const outcome = event.add_groups();
  outcome->set_group("workers");
  outcome->set_mode(v1::GROUP_MODE_QUEUE);
  outcome->set_state(v1::OUTCOME_STATE_SETTLED);
  QuestionFacts facts;
  facts.event = &event;
  CHECK(LinesOf(AnswerQuestions(facts), v1::QUESTION_WHO_RECEIVED) ==
        Lines{"workers: not known (settled)"});
}

TEST_CASE("of a deleted STREAM group it is not known what became of each event") {
  OutcomesRoom room(v1::GROUP_MODE_STREAM, 1);
  REQUIRE(room.Commit(1)->has_value());
  room.DeleteGroup();
  const std::vector<v1::Answer> answers = AskAtFirst(room);
  for (const auto question :
       {v1::QUESTION_WHO_RECEIVED, v1::QUESTION_WHO_PROCESSED, v1::QUESTION_WHO_FAILED}) {
    CHECK(CertaintyOf(answers, question) == v1::CERTAINTY_PARTIAL);
  }
  const Lines replay = LinesOf(answers, v1::QUESTION_MAY_REPLAY);
  REQUIRE(replay.size() == 2);
  CHECK(absl::EndsWith(replay[1], ": would not get it, it does not read the topic any more"));
}

TEST_CASE("that an event was processed before a reset put it before the group again is told") {
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 1);
  REQUIRE(room.Take() == 1);
  room.Settle(QueueSettlement::Kind::kAck, 0);
  room.pool.RunAll();
  CHECK(room.Told(0).processed_before() == 0);
  room.Reset(0);
  CHECK(room.Told(0).processed_before() == 1);
  const std::vector<v1::Answer> answers = AskAtFirst(room);
  const std::string before =
      "workers: processed once before a reset put it before the group again";
  CHECK(LinesOf(answers, v1::QUESTION_WHO_RECEIVED) == Lines{before});
  CHECK(LinesOf(answers, v1::QUESTION_WHO_PROCESSED) ==
        Lines{before, "workers: not processed (pending)"});
  for (const auto question : {v1::QUESTION_WHO_RECEIVED, v1::QUESTION_WHO_PROCESSED}) {
    CHECK(CertaintyOf(answers, question) == v1::CERTAINTY_PARTIAL);
  }
}

TEST_CASE("no redrive of a group is named that was deleted, and what it had to do is over") {
  const bool rejects = GENERATE(true, false);
  OutcomesRoom room(v1::GROUP_MODE_QUEUE, 1);
  REQUIRE(room.Take() == 1);
  if (rejects) {
    room.Settle(QueueSettlement::Kind::kReject, 0);
  } else {
    room.Settle(QueueSettlement::Kind::kNack, 0, absl::Hours(1));
  }
  room.pool.RunAll();
  room.DeleteGroup();
  const std::vector<v1::Answer> answers = AskAtFirst(room);
  const Lines replay = LinesOf(answers, v1::QUESTION_MAY_REPLAY);
  REQUIRE(replay.size() == 2);
  CHECK(absl::EndsWith(replay[1], ": would not get it, it does not read the topic any more"));
  const Lines processed = LinesOf(answers, v1::QUESTION_WHO_PROCESSED);
  REQUIRE(processed.size() == 1);
  CHECK(absl::EndsWith(processed[0], rejects ? ": not processed (dead lettered)"
                                             : ": not processed (pending when it last read the "
                                               "topic)"));
  CHECK(CertaintyOf(answers, v1::QUESTION_WHO_PROCESSED) == v1::CERTAINTY_KNOWN);
}

TEST_CASE("an answer of very many lines says how many it leaves out") {
  v1::JourneyEvent event;
  for (int i = 0; i < 4'000; ++i) {
    v1::Affected* const affected = event.mutable_event()->add_affected();
    affected->set_kind("user");
    affected->set_id(std::string(1'000, 'x'));
  }
  QuestionFacts facts;
  facts.event = &event;
  const Lines lines = LinesOf(AnswerQuestions(facts), v1::QUESTION_WHO_IS_AFFECTED);
  size_t bytes = 0;
  for (const std::string& line : lines) bytes += line.size();
  CHECK(bytes < size_t{1} << 20);
  // Beside the tenant.
  REQUIRE(lines.size() > 2);
  CHECK(lines.back() == "and " + std::to_string(4'000 - (lines.size() - 2)) + " more");
}

// "orders/0/0", of which its producer said everything.
void PublishWhole(JourneyRoom& room) {
  room.CreateTopic("orders", 1);
  v1::Event event = JourneyRoom::Event("a");
  event.set_schema("urn:order:2");
  event.set_process("ordering");
  v1::Affected* const affected = event.add_affected();
  affected->set_kind("user");
  affected->set_id("42");
  v1::BatchContext context;
  context.set_app("shop");
  room.Publish("orders", event, context);
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
}

// What is asked of an event itself is unknown, and for that reason.
void CheckLost(const std::vector<v1::Answer>& answers, const std::string& why) {
  for (const auto question : {v1::QUESTION_WHERE_FROM, v1::QUESTION_WHICH_SCHEMA,
                              v1::QUESTION_WHICH_PROCESS, v1::QUESTION_WHO_IS_AFFECTED}) {
    INFO(v1::Question_Name(question));
    CHECK(CertaintyOf(answers, question) == v1::CERTAINTY_UNKNOWN);
    const bool of_tenant = question == v1::QUESTION_WHO_IS_AFFECTED;
    CHECK(LinesOf(answers, question) == (of_tenant ? Lines{"tenant default"} : Lines{}));
  }
  for (const v1::Answer& answer : answers) {
    if (answer.certainty() != v1::CERTAINTY_UNKNOWN) continue;
    CHECK(answer.why() == why);
    CHECK_FALSE(answer.remedy().empty());
  }
}

TEST_CASE("of an event that cannot be read nothing is told but what is known, and why") {
  JourneyRoom room;
  PublishWhole(room);
  const PartitionId partition = room.topics->Find("default", "orders")->partition(0);
  CHECK(CertaintyOf(AskAtFirst(room), v1::QUESTION_WHERE_FROM) == v1::CERTAINTY_KNOWN);
  SECTION("retention took it") {
    room.engine->TrimTo(partition, Offset(1));
    const std::vector<v1::Answer> answers = AskAtFirst(room);
    CheckLost(answers, "retention took the event");
    CHECK(LinesOf(answers, v1::QUESTION_MAY_REPLAY) == Lines{"the event is not stored any more"});
  }
  SECTION("it is damaged") {
    room.engine->CorruptBatch(partition, Offset(0));
    const std::vector<v1::Answer> answers = AskAtFirst(room);
    CheckLost(answers, "its bytes are damaged");
    CHECK(LinesOf(answers, v1::QUESTION_MAY_REPLAY) ==
          Lines{"the event is still stored, but its bytes are damaged: nobody can read it"});
  }
  SECTION("the disk does not give it") {
    room.engine->SetCachedReads(false);
    const auto refused = Error(v1::DATA_CORRUPTED, "cannot be read", {{kIoErrorDetail, "true"}});
    room.engine->FailReadsAt(partition, Offset(0), refused);
    const std::vector<v1::Answer> answers = AskAtFirst(room);
    CheckLost(answers, "the disk did not give the event");
    CHECK(LinesOf(answers, v1::QUESTION_MAY_REPLAY) ==
          Lines{"the event is still stored, but the disk did not give it: ask again"});
    room.engine->FailReadsAt(partition, Offset(0), absl::OkStatus());
    CHECK(CertaintyOf(AskAtFirst(room), v1::QUESTION_WHERE_FROM) == v1::CERTAINTY_KNOWN);
  }
}

}  // namespace
}  // namespace acta
