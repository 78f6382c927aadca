#include <catch2/catch.hpp>

#include "acta/storage/v1/records.pb.h"
#include "storage/layout/rows.h"
#include "tests/unit/journeys/journey_room.h"

namespace acta {
namespace {

using Strings = std::vector<std::string>;

TEST_CASE("a journey is found by each of its events, its correlation and its places") {
  JourneyRoom room;
  room.CreateTopic("orders");
  room.CreateTopic("payments");
  v1::Event placed = JourneyRoom::Event("o1");
  v1::Affected* const affected = placed.add_affected();
  affected->set_kind("user");
  affected->set_id("42");
  room.Publish("orders", placed);
  room.Publish("payments", JourneyRoom::Event("p1", "o1", "o1"));
  room.Publish("orders", JourneyRoom::Event("s1", "o1", "p1"));
  room.Publish("orders", JourneyRoom::Event("other", "else"));
  const Strings edges = {"o1", "o1>p1", "p1>s1"};
  for (const char* id : {"o1", "p1", "s1"}) {
    CHECK(JourneyRoom::Edges(room.Get(JourneyRoom::ByEvent(id))) == edges);
  }
  CHECK(JourneyRoom::Edges(room.Get(JourneyRoom::ByCorrelation("o1"))) == edges);
  CHECK(JourneyRoom::Edges(room.Get(JourneyRoom::ByAffected("user", "42"))) == edges);
  CHECK(JourneyRoom::Edges(room.Get(JourneyRoom::ByPosition("orders", 0, 1))) == edges);
  CHECK(JourneyRoom::Edges(room.Get(JourneyRoom::ByEvent("other"))) == Strings{"other"});
  const auto journey = room.Get(JourneyRoom::ByEvent("p1"));
  CHECK(journey.events(1).event().correlation_id() == "o1");
  CHECK(journey.events(0).event().correlation_id() == "o1");  // It began the journey.
  CHECK(journey.events(0).data_bytes() == 4);
  CHECK(journey.events(0).event().data().empty());
}

TEST_CASE("what the context of a batch says counts where the event says nothing") {
  JourneyRoom room;
  room.CreateTopic("orders");
  room.Publish("orders", JourneyRoom::Event("a"));
  v1::BatchContext context;
  context.set_correlation_id("a");
  context.set_causation_id("a");
  context.set_app("shipping");
  room.Publish(
      "orders", 0,
      {JourneyRoom::Event("b"), JourneyRoom::Event("c", "own", "b"), JourneyRoom::Event("d")},
      context);
  const auto journey = room.Get(JourneyRoom::ByCorrelation("a"));
  CHECK(JourneyRoom::Edges(journey) == Strings{"a", "a>b", "b>c", "a>d"});
  CHECK(journey.events(1).app() == "shipping");
  CHECK(journey.events(1).cause_known());
  CHECK_FALSE(journey.events(2).cause_known());
}

TEST_CASE("causes and effects of another correlation belong to a journey") {
  JourneyRoom room;
  room.CreateTopic("orders");
  room.Publish("orders", JourneyRoom::Event("a", "one"));
  room.Publish("orders", JourneyRoom::Event("b", "two", "a"));
  room.Publish("orders", JourneyRoom::Event("c", "three", "b"));
  room.Publish("orders", JourneyRoom::Event("d", "three"));  // Only beside it.
  CHECK(JourneyRoom::Edges(room.Get(JourneyRoom::ByCorrelation("two"))) ==
        Strings{"a", "a>b", "b>c"});
}

TEST_CASE("events without an id are named by their places") {
  JourneyRoom room;
  room.CreateTopic("orders");
  room.Publish("orders", JourneyRoom::Event(""));
  room.Publish("orders", JourneyRoom::Event("b", "orders/0/0", "orders/0/0"));
  const auto journey = room.Get(JourneyRoom::ByEvent("b"));
  REQUIRE(journey.events_size() == 2);
  CHECK(journey.events(1).cause() == 0);
  CHECK(room.Get(JourneyRoom::ByCorrelation("orders/0/0")).events_size() == 2);
}

// "orders/0/0" and two effects of it in "bills"; "orders" is made for it.
void PublishNameless(JourneyRoom& room, const std::string& id) {
  room.engine->Advance(absl::Milliseconds(1));
  room.CreateTopic("orders", 1);
  room.Publish("orders", JourneyRoom::Event(""));
  v1::BatchContext context;
  context.set_app("shop");
  for (const char* const number : {"1", "2"}) {
    room.Publish("bills", JourneyRoom::Event(id + number, "orders/0/0", "orders/0/0"), context);
  }
}

std::set<std::string> IdsOnPages(JourneyRoom& room, v1::GetJourneyRequest request, int32_t size) {
  std::set<std::string> ids;
  request.set_page_size(size);
  do {
    const auto page = room.Get(request);
    for (const v1::JourneyEvent& event : page.events()) ids.insert(event.event().id());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return ids;
}

std::string WhyNotKnownFrom(JourneyRoom& room, const std::string& id) {
  v1::AskQuestionsRequest request;
  request.mutable_selection()->mutable_event()->set_id(id);
  const auto asked = room.journeys->Ask(room.caller, request);
  REQUIRE_OK(asked.status());
  REQUIRE(asked->answers(0).question() == v1::QUESTION_WHERE_FROM);
  return asked->answers(0).why();
}

TEST_CASE("a place in a topic that was deleted is no event of the topic that has its name now") {
  JourneyRoom room;
  room.CreateTopic("bills", 1);
  PublishNameless(room, "old");
  CHECK(WhyNotKnownFrom(room, "old1").empty());
  v1::DeleteTopicRequest gone;
  gone.set_name("orders");
  REQUIRE_OK(room.topics->Delete(room.caller, gone));
  PublishNameless(room, "new");
  const auto old = room.Get(JourneyRoom::ByEvent("old1"));
  CHECK(JourneyRoom::Edges(old) == Strings{"orders/0/0", "orders/0/0>old1", "orders/0/0>old2"});
  CHECK(old.events(0).state() == v1::JOURNEY_EVENT_STATE_MISSING);
  CHECK(WhyNotKnownFrom(room, "old1") ==
        "the event that caused it, orders/0/0, is nowhere to be found");
  CHECK(WhyNotKnownFrom(room, "new1").empty());
  for (const int32_t size : {1, 1'000}) {
    CHECK(IdsOnPages(room, JourneyRoom::ByEvent("old1"), size) ==
          std::set<std::string>{"orders/0/0", "old1", "old2"});
    const std::set<std::string> of_new = {"", "new1", "new2"};
    CHECK(IdsOnPages(room, JourneyRoom::ByEvent("new1"), size) == of_new);
    CHECK(IdsOnPages(room, JourneyRoom::ByPosition("orders", 0, 0), size) == of_new);
  }
  // Who asks by the name gets all that has it.
  CHECK(JourneyRoom::Edges(room.Get(JourneyRoom::ByCorrelation("orders/0/0"))) ==
        Strings{"old1", "old2", "", ">new1", ">new2"});
}

TEST_CASE("a cause that never came is told as missing") {
  JourneyRoom room;
  room.CreateTopic("orders");
  room.Publish("orders", JourneyRoom::Event("b", "x", "never"));
  const auto journey = room.Get(JourneyRoom::ByEvent("b"));
  CHECK(JourneyRoom::Edges(journey) == Strings{"never", "never>b"});
  CHECK(journey.events(0).state() == v1::JOURNEY_EVENT_STATE_MISSING);
  CHECK_FALSE(journey.events(0).has_position());
  CHECK(room.ReasonOfGet(JourneyRoom::ByEvent("never")) == v1::EVENT_NOT_FOUND);
}

TEST_CASE("an event that is not there is told, whatever is asked for") {
  JourneyRoom room;
  room.CreateTopic("orders");
  const std::string longer(5000, 'i');
  for (const auto& request : {JourneyRoom::ByEvent(longer), JourneyRoom::ByCorrelation(longer),
                              JourneyRoom::ByAffected("user", longer)}) {
    const absl::Status status = room.journeys->Get(room.caller, request).status();
    CHECK(ReasonOf(status) == v1::EVENT_NOT_FOUND);
    CHECK(EncodeStatusDetails(status).size() < 2000);
  }
}

TEST_CASE("an id belongs to a source") {
  JourneyRoom room;
  room.CreateTopic("orders");
  v1::Event one = JourneyRoom::Event("1");
  one.set_source("/a");
  v1::Event other = JourneyRoom::Event("1");
  other.set_source("/b");
  room.Publish("orders", one);
  room.Publish("orders", other);
  CHECK(room.Get(JourneyRoom::ByEvent("1")).events_size() == 2);
  CHECK(room.ReasonOfGet(JourneyRoom::ByEvent("1", "/c")) == v1::EVENT_NOT_FOUND);
}

TEST_CASE("events of topics that one may not browse are opaque") {
  JourneyRoom room;
  room.CreateTopic("orders");
  room.CreateTopic("secret");
  room.Publish("orders", JourneyRoom::Event("a"));
  room.Publish("secret", JourneyRoom::Event("b", "a", "a"));
  room.Publish("orders", JourneyRoom::Event("c", "a", "b"));
  room.authorizer.closed.insert("secret");
  const auto journey = room.Get(JourneyRoom::ByEvent("a"));
  CHECK(JourneyRoom::Edges(journey) == Strings{"a", "a>", ">c"});
  v1::JourneyEvent opaque;
  opaque.set_state(v1::JOURNEY_EVENT_STATE_OPAQUE);
  opaque.set_cause(0);
  CHECK(journey.events(1).SerializeAsString() == opaque.SerializeAsString());
  CHECK(room.ReasonOfGet(JourneyRoom::ByPosition("secret", 0, 0)) == v1::PERMISSION_DENIED);
  CHECK(room.ReasonOfGet(JourneyRoom::ByEvent("b")) == v1::EVENT_NOT_FOUND);
  v1::AskQuestionsRequest questions;
  questions.mutable_selection()->mutable_event()->set_id("b");
  CHECK(ReasonOf(room.journeys->Ask(room.caller, questions).status()) == v1::EVENT_NOT_FOUND);
}

TEST_CASE("topics that one may not browse are not named, nor is said that a cause is in them") {
  JourneyRoom room;
  room.CreateTopic("orders");
  room.CreateTopic("hidden");
  room.CreateTopic("quiet", 1, v1::JOURNEY_MODE_OFF);
  room.CreateTopic("secret", 1, v1::JOURNEY_MODE_OFF);
  room.Publish("hidden", JourneyRoom::Event("cause"));
  v1::BatchContext context;
  context.set_app("shop");
  room.Publish("orders", JourneyRoom::Event("by id", "", "cause"), context);
  room.Publish("orders", JourneyRoom::Event("by place", "", "hidden/0/0"), context);
  const auto names_of = [](const v1::JourneyIndexState& index) {
    return std::set<std::string>(index.not_indexed_topics().begin(),
                                 index.not_indexed_topics().end());
  };
  for (const bool closed : {false, true}) {
    if (closed) room.authorizer.closed = {"hidden", "secret"};
    const std::set<std::string> named =
        closed ? std::set<std::string>{"quiet"} : std::set<std::string>{"quiet", "secret"};
    for (const char* effect : {"by id", "by place"}) {
      INFO(effect << (closed ? ", closed" : ""));
      CHECK(names_of(room.Get(JourneyRoom::ByEvent(effect)).index()) == named);
      v1::AskQuestionsRequest questions;
      questions.mutable_selection()->mutable_event()->set_id(effect);
      const auto asked = room.journeys->Ask(room.caller, questions);
      REQUIRE_OK(asked.status());
      CHECK(names_of(asked->index()) == named);
      CHECK(asked->answers(0).question() == v1::QUESTION_WHERE_FROM);
      CHECK(asked->answers(0).certainty() ==
            (closed ? v1::CERTAINTY_PARTIAL : v1::CERTAINTY_KNOWN));
    }
  }
}

TEST_CASE("what retention took and what is damaged is told as such") {
  JourneyRoom room;
  room.CreateTopic("orders");
  room.Publish("orders", JourneyRoom::Event("a", "j"));
  room.Publish("orders", JourneyRoom::Event("b", "j", "a"));
  room.Publish("orders", JourneyRoom::Event("c", "j", "b"));
  room.Get(JourneyRoom::ByCorrelation("j"));
  const PartitionId partition = room.topics->Find("default", "orders")->partition(0);
  room.engine->TrimTo(partition, Offset(1));
  room.engine->SetCachedReads(false);
  room.engine->CorruptBatch(partition, Offset(1));
  const auto journey = room.Get(JourneyRoom::ByCorrelation("j"));
  std::map<int64_t, v1::JourneyEventState> states;
  for (const v1::JourneyEvent& event : journey.events()) {
    if (event.has_position()) states[event.position().offset()] = event.state();
  }
  CHECK(states == std::map<int64_t, v1::JourneyEventState>{{0, v1::JOURNEY_EVENT_STATE_TRIMMED},
                                                           {1, v1::JOURNEY_EVENT_STATE_UNREADABLE},
                                                           {2, v1::JOURNEY_EVENT_STATE_STORED}});
  CHECK(room.Get(JourneyRoom::ByPosition("orders", 0, 0)).events(0).state() ==
        v1::JOURNEY_EVENT_STATE_TRIMMED);
}

TEST_CASE("what the disk does not give for a moment is told as such, and when it does whole") {
  JourneyRoom room;
  room.CreateTopic("orders", 1);
  room.Publish("orders", JourneyRoom::Event("a", "j"));
  room.Publish("orders", JourneyRoom::Event("b", "j", "a"));
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  const PartitionId partition = room.topics->Find("default", "orders")->partition(0);
  room.engine->SetCachedReads(false);
  const auto refused = Error(v1::DATA_CORRUPTED, "cannot be read", {{kIoErrorDetail, "true"}});
  room.engine->FailReadsAt(partition, Offset(0), refused);
  using States = std::map<int64_t, v1::JourneyEventState>;
  const auto states = [&room](const v1::GetJourneyRequest& request) {
    States told;
    const v1::GetJourneyResponse journey = room.Get(request);
    for (const v1::JourneyEvent& event : journey.events()) {
      told[event.position().offset()] = event.state();
    }
    return told;
  };
  for (const auto& request :
       {JourneyRoom::ByCorrelation("j"), JourneyRoom::ByPosition("orders", 0, 0)}) {
    CHECK(states(request)[0] == v1::JOURNEY_EVENT_STATE_NOT_GIVEN);
  }
  room.engine->FailReadsAt(partition, Offset(0), absl::OkStatus());
  CHECK(states(JourneyRoom::ByCorrelation("j")) ==
        States{{0, v1::JOURNEY_EVENT_STATE_STORED}, {1, v1::JOURNEY_EVENT_STATE_STORED}});
}

TEST_CASE("what retention took keeps its place between its cause and its effects") {
  JourneyRoom room;
  room.CreateTopic("orders");
  room.CreateTopic("payments");
  room.Publish("payments", JourneyRoom::Event("a", "other"));
  room.Publish("orders", JourneyRoom::Event("b", "j", "a"));
  room.Publish("payments", JourneyRoom::Event("c", "j", "b"));
  room.Publish("payments", JourneyRoom::Event("d", "else", "b"));
  room.Get(JourneyRoom::ByCorrelation("j"));
  room.engine->TrimTo(room.topics->Find("default", "orders")->partition(0), Offset(1));
  // By its correlation no id of it is known, until its effect names it.
  for (const auto& request :
       {JourneyRoom::ByCorrelation("j"), JourneyRoom::ByEvent("b"), JourneyRoom::ByEvent("c")}) {
    const auto journey = room.Get(request);
    CHECK(JourneyRoom::Edges(journey) == Strings{"b", "b>c", "b>d"});
    CHECK(journey.events(0).state() == v1::JOURNEY_EVENT_STATE_TRIMMED);
    CHECK(journey.events(0).position().topic() == "orders");
    CHECK(journey.events(0).event().correlation_id() ==
          (request.selection().has_event() && request.selection().event().id() == "b" ? "" : "j"));
  }
  // Nobody names it here: it is known that something was caused, and where it was.
  CHECK(JourneyRoom::Edges(room.Get(JourneyRoom::ByEvent("a"))) == Strings{"a", "a>"});
}

TEST_CASE("a large journey is told in pages") {
  JourneyRoom room;
  room.CreateTopic("orders");
  std::vector<v1::Event> events;
  for (int i = 0; i < 250; ++i) events.push_back(JourneyRoom::Event("e" + std::to_string(i), "j"));
  room.Publish("orders", 0, events);
  room.Publish("orders", 1, {JourneyRoom::Event("last", "j")});
  auto request = JourneyRoom::ByCorrelation("j");
  request.set_page_size(100);
  std::set<std::string> seen;
  std::vector<int> sizes;
  do {
    const auto page = room.Get(request);
    sizes.push_back(page.events_size());
    for (const v1::JourneyEvent& event : page.events()) {
      CHECK(seen.insert(event.event().id()).second);
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  CHECK(sizes == std::vector<int>{100, 100, 51});
  CHECK(seen.size() == 251);
}

TEST_CASE("a page of large events has fewer of them than what a client takes by default") {
  constexpr size_t kEvents = 10'000;
  constexpr size_t kDefaultOfClients = size_t{4} << 20;
  JourneyRoom room;
  room.CreateTopic("orders");
  std::vector<v1::Event> events;
  for (size_t i = 0; i < kEvents; ++i) {
    events.push_back(JourneyRoom::Event("e" + std::to_string(i), "j"));
    events.back().set_subject(std::string(500, 's'));
    if (events.size() < 1'000) continue;
    room.Publish("orders", 0, events);
    events.clear();
  }
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  auto request = JourneyRoom::ByCorrelation("j");
  request.set_page_size(kEvents);
  std::set<std::string> seen;
  size_t pages = 0;
  do {
    const auto page = room.Get(request);
    ++pages;
    CHECK(page.ByteSizeLong() < kDefaultOfClients);
    CHECK_FALSE(page.truncated());
    for (const v1::JourneyEvent& event : page.events()) seen.insert(event.event().id());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  CHECK(seen.size() == kEvents);
  CHECK(pages >= 2);
  CHECK(pages <= 4);
}

TEST_CASE("a search whose time is over goes on where it stopped, and reads nothing twice") {
  JourneyRoom room;
  room.CreateTopic("orders");
  for (int i = 0; i < 20; ++i) {
    room.Publish("orders", i % 2, {JourneyRoom::Event("e" + std::to_string(i), "j")});
  }
  room.Get(JourneyRoom::ByEvent("e19"));
  EventFinder::Place from;
  std::set<std::string> seen;
  for (int pages = 1;; ++pages) {
    REQUIRE(pages <= 20);
    EventFinder finder(*room.engine, room.pool, room.clock, *room.topics, *room.indexer,
                       std::make_shared<ByteBudget>(kMaxJourneyBatchBytes), "default",
                       absl::ZeroDuration());
    std::optional<EventFinder::Place> next;
    const auto found = finder.Find({{LinkKind::kCorrelation, "j", ""}}, from, 1'000, &next);
    REQUIRE_OK(found.status());
    for (const FoundEvent& event : *found) CHECK(seen.insert(event.event.id()).second);
    if (!next.has_value()) break;
    from = *next;
  }
  CHECK(seen.size() == 20);
}

// A search with `wanted` in all that is indexed, and how many reads of the disk it took.
int64_t ReadsOf(JourneyRoom& room, const std::vector<EventFinder::Wanted>& wanted, size_t found) {
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  room.engine->SetCachedReads(false);
  const int64_t before = room.engine->Stats().cold_reads;
  EventFinder finder(*room.engine, room.pool, room.clock, *room.topics, *room.indexer,
                     std::make_shared<ByteBudget>(kMaxJourneyBatchBytes), "default",
                     absl::InfiniteDuration());
  std::optional<EventFinder::Place> next;
  const auto events = finder.Find(wanted, {}, 1'000, &next);
  REQUIRE_OK(events.status());
  CHECK(events->size() == found);
  return room.engine->Stats().cold_reads - before;
}

TEST_CASE("a batch is read once, whatever of it is looked for") {
  JourneyRoom room;
  room.CreateTopic("a");
  std::vector<EventFinder::Wanted> wanted;
  for (int32_t partition = 0; partition < 2; ++partition) {
    std::vector<v1::Event> events;
    for (int i = 0; i < 16; ++i) {
      events.push_back(JourneyRoom::Event(std::to_string(partition) + "-" + std::to_string(i)));
      wanted.push_back({LinkKind::kId, events.back().id(), ""});
    }
    room.Publish("a", partition, events);
  }
  CHECK(ReadsOf(room, wanted, 32) == 2);
}

TEST_CASE("what cannot be read is tried twice, not for each of its neighbours") {
  constexpr int kBatches = 60;
  JourneyRoom room;
  room.CreateTopic("a", 1);
  for (int i = 0; i < kBatches; ++i) {
    room.Publish("a", 0, {JourneyRoom::Event("e" + std::to_string(i), "c")});
  }
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  const PartitionId partition = room.topics->Find("default", "a")->partition(0);
  for (int i = 1; i < kBatches; ++i) room.engine->CorruptBatch(partition, Offset(i));
  // Ahead, and where the search says what is wrong.
  CHECK(ReadsOf(room, {{LinkKind::kCorrelation, "c", ""}}, kBatches) <= 2 * kBatches);
}

TEST_CASE("causes and effects beyond the limit are left out, and it is said") {
  JourneyRoom room;
  room.CreateTopic("orders");
  room.Publish("orders", JourneyRoom::Event("root", "j"));
  for (int i = 0; i < 30; ++i) {
    const std::string cause = i == 0 ? "root" : "e" + std::to_string(i - 1);
    room.Publish("orders", JourneyRoom::Event("e" + std::to_string(i), "other", cause));
  }
  auto request = JourneyRoom::ByCorrelation("j");
  request.set_page_size(10);
  const auto some = room.Get(request);
  CHECK(some.events_size() == 11);
  CHECK(some.truncated());
  request.set_page_size(30);
  const auto all = room.Get(request);
  CHECK(all.events_size() == 31);
  CHECK_FALSE(all.truncated());
}

TEST_CASE("bad questions are refused with a reason") {
  JourneyRoom room;
  room.CreateTopic("orders");
  CHECK(room.ReasonOfGet({}) == v1::INVALID_ARGUMENT);
  CHECK(room.ReasonOfGet(JourneyRoom::ByEvent("")) == v1::INVALID_ARGUMENT);
  CHECK(room.ReasonOfGet(JourneyRoom::ByCorrelation("")) == v1::INVALID_ARGUMENT);
  CHECK(room.ReasonOfGet(JourneyRoom::ByAffected("user", "")) == v1::INVALID_ARGUMENT);
  CHECK(room.ReasonOfGet(JourneyRoom::ByAffected("user", "1")) == v1::EVENT_NOT_FOUND);
  CHECK(room.ReasonOfGet(JourneyRoom::ByCorrelation("half")) == v1::EVENT_NOT_FOUND);
  CHECK(room.ReasonOfGet(JourneyRoom::ByPosition("nowhere", 0, 0)) == v1::TOPIC_NOT_FOUND);
  CHECK(room.ReasonOfGet(JourneyRoom::ByPosition("orders", 2, 0)) == v1::PARTITION_NOT_FOUND);
  CHECK(room.ReasonOfGet(JourneyRoom::ByPosition("orders", -1, 0)) == v1::PARTITION_NOT_FOUND);
  CHECK(room.ReasonOfGet(JourneyRoom::ByPosition("orders", 0, 0)) == v1::EVENT_NOT_FOUND);
  CHECK(room.ReasonOfGet(JourneyRoom::ByPosition("orders", 0, -1)) == v1::EVENT_NOT_FOUND);
  CHECK(room.ReasonOfGet(JourneyRoom::ByPosition("orders", 0, 999'999)) == v1::EVENT_NOT_FOUND);
  auto request = JourneyRoom::ByEvent("a");
  for (const int32_t size : {-1, 10'001}) {
    request.set_page_size(size);
    CHECK(room.ReasonOfGet(request) == v1::INVALID_ARGUMENT);
  }
  request.set_page_size(0);
  for (const char* token : {"nonsense", "1", "1.", "1.-2", "1.2.3", "1.2.3.4", "1.2.3.4.5",
                            "1.2.x.4.1.2", "1.2.1.x.2.3", "1.2.1.1.1.-2", "1.2.1.1.2.3.4",
                            "1.4611686018427387905", "1.0.1.9223372036854775807.1.0"}) {
    INFO(token);
    request.set_page_token(token);
    CHECK(room.ReasonOfGet(request) == v1::INVALID_ARGUMENT);
  }
  request.clear_page_token();
  request.set_tenant("other");
  CHECK(room.ReasonOfGet(request) == v1::TENANT_NOT_FOUND);
}

TEST_CASE("a page of nothing that one may browse says no more than that nothing is there") {
  JourneyRoom room;
  room.CreateTopic("secret");
  room.CreateTopic("open");
  for (int i = 0; i < 3; ++i)
    room.Publish("secret", JourneyRoom::Event("s" + std::to_string(i), "j"));
  room.authorizer.closed.insert("secret");
  auto request = JourneyRoom::ByCorrelation("j");
  request.set_page_size(1);
  CHECK(room.ReasonOfGet(request) == v1::EVENT_NOT_FOUND);
  request.set_page_token("0.1");
  const auto forged = room.Get(request);
  CHECK(forged.events().empty());
  CHECK(forged.next_page_token().empty());
  room.Publish("open", JourneyRoom::Event("o", "j"));
  request.clear_page_token();
  request.set_page_size(100);
  CHECK(room.Get(request).events_size() == 4);  // Beside what is there for the caller.
}

}  // namespace
}  // namespace acta
