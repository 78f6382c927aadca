#include <catch2/catch.hpp>

#include "tests/support/fake_clock.h"
#include "tests/unit/journeys/journey_room.h"

namespace acta {
namespace {

// Ids of the events of all pages, which are all stored; whether any of them left something out.
std::multiset<std::string> StoredOnPages(const JourneyRoom& room, v1::GetJourneyRequest request,
                                         bool* truncated = nullptr) {
  std::multiset<std::string> told;
  do {
    const auto page = room.Get(request);
    if (truncated != nullptr) *truncated = *truncated || page.truncated();
    for (const v1::JourneyEvent& event : page.events()) {
      CHECK(event.state() == v1::JOURNEY_EVENT_STATE_STORED);
      told.insert(event.event().id());
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return told;
}

// Of all pages, which tell each event once and leave out none.
std::multiset<std::string> WholeOnPages(const JourneyRoom& room,
                                        const v1::GetJourneyRequest& request) {
  bool truncated = false;
  std::multiset<std::string> told = StoredOnPages(room, request, &truncated);
  CHECK_FALSE(truncated);
  CHECK(std::set<std::string>(told.begin(), told.end()).size() == told.size());
  return told;
}

// "root", and so many events that it caused one through the other.
void PublishChain(JourneyRoom& room, int effects) {
  room.Publish("orders", JourneyRoom::Event("root"));
  for (int i = 0; i < effects; ++i) {
    const std::string cause = i == 0 ? "root" : "e" + std::to_string(i - 1);
    room.Publish("orders", i % 2, {JourneyRoom::Event("e" + std::to_string(i), "root", cause)});
  }
}

TEST_CASE("a cause on another page is not missing, however many effects come before it") {
  JourneyRoom room;
  for (const char* topic : {"1-effects", "2-events", "3-causes"}) room.CreateTopic(topic, 1);
  for (int i = 0; i < 5; ++i) {
    const std::string number = std::to_string(i);
    room.Publish("3-causes", JourneyRoom::Event("c" + number, "j"));
    room.Publish("2-events", JourneyRoom::Event("m" + number, "j", "c" + number));
    for (int k = 0; k < 10; ++k) {
      const std::string id = "x" + number + "-" + std::to_string(k);
      room.Publish("1-effects", JourneyRoom::Event(id, "j", "m" + number));
    }
  }
  auto request = JourneyRoom::ByCorrelation("j");
  request.set_page_size(5);
  const std::multiset<std::string> told = StoredOnPages(room, request);
  CHECK(std::set<std::string>(told.begin(), told.end()).size() == 60);
}

TEST_CASE("a journey goes on in pages, whichever of its events was asked for") {
  JourneyRoom room;
  room.CreateTopic("orders");
  PublishChain(room, 25);
  room.Publish("orders", JourneyRoom::Event("beside", "other", "e7"));
  v1::Event last = JourneyRoom::Event("last", "root", "e24");
  last.add_affected()->set_kind("user");
  last.mutable_affected(0)->set_id("ann");
  room.Publish("orders", last);
  for (auto request :
       {JourneyRoom::ByEvent("e13"), JourneyRoom::ByEvent("root"),
        JourneyRoom::ByPosition("orders", 0, 0), JourneyRoom::ByAffected("user", "ann")}) {
    for (const int32_t size : {1, 3, 10, 27, 28}) {
      INFO(request.ShortDebugString() << ", pages of " << size);
      request.set_page_size(size);
      CHECK(WholeOnPages(room, request).size() == 28);
    }
  }
}

TEST_CASE("the effects of an event are told in pages, however many there are") {
  JourneyRoom room;
  room.CreateTopic("orders");
  room.Publish("orders", JourneyRoom::Event("root", "j"));
  for (int i = 0; i < 30; ++i) {
    const std::string number = std::to_string(i);
    room.Publish("orders", i % 2, {JourneyRoom::Event("e" + number, "of " + number, "root")});
    room.Publish("orders", JourneyRoom::Event("f" + number, "of " + number, "e" + number));
  }
  auto request = JourneyRoom::ByEvent("root");
  request.set_page_size(7);
  CHECK(WholeOnPages(room, request).size() == 61);
  // What is further away has so much of a page; of an event that is asked for all of it is told.
  for (int i = 0; i < 20; ++i) {
    room.Publish("orders", JourneyRoom::Event("g" + std::to_string(i), "g", "f3"));
  }
  bool truncated = false;
  std::multiset<std::string> told = StoredOnPages(room, request, &truncated);
  CHECK(truncated);
  CHECK(std::set<std::string>(told.begin(), told.end()).size() < 81);
  request.mutable_selection()->mutable_event()->set_id("f3");
  told = StoredOnPages(room, request);
  for (int i = 0; i < 20; ++i) CHECK(told.count("g" + std::to_string(i)) == 1);
}

TEST_CASE("who began a journey and has no id is on one of its pages") {
  JourneyRoom room;
  room.CreateTopic("orders", 1);
  room.Publish("orders", JourneyRoom::Event(""));
  for (int i = 0; i < 5; ++i) {
    room.Publish("orders", JourneyRoom::Event("e" + std::to_string(i), "orders/0/0",
                                              i == 0 ? "orders/0/0" : "e" + std::to_string(i - 1)));
  }
  for (auto request : {JourneyRoom::ByCorrelation("orders/0/0"), JourneyRoom::ByEvent("e3"),
                       JourneyRoom::ByPosition("orders", 0, 0)}) {
    for (const int32_t size : {1, 2, 5, 6}) {
      INFO(request.ShortDebugString() << ", pages of " << size);
      request.set_page_size(size);
      CHECK(WholeOnPages(room, request) ==
            std::multiset<std::string>{"", "e0", "e1", "e2", "e3", "e4"});
    }
  }
}

TEST_CASE("the pages of a correlation tell each of its events once, and know each other's causes") {
  JourneyRoom room;
  room.CreateTopic("orders");
  PublishChain(room, 50);
  room.Publish("orders", JourneyRoom::Event("beside", "other", "e7"));
  auto request = JourneyRoom::ByCorrelation("root");
  request.set_page_size(10);
  CHECK(WholeOnPages(room, request).size() == 52);
}

TEST_CASE("what is asked for again is what it was, whatever others publish meanwhile") {
  JourneyRoom room;
  room.CreateTopic("orders", 3);
  for (int i = 0; i < 20; ++i) {
    room.Publish("orders", 1 + i % 2, {JourneyRoom::Event("e" + std::to_string(i), "j")});
  }
  auto request = JourneyRoom::ByEvent("e7");
  request.set_page_size(6);
  std::multiset<std::string> told;
  for (int page = 0;; ++page) {
    REQUIRE(page < 10);
    const auto some = room.Get(request);
    for (const v1::JourneyEvent& event : some.events()) told.insert(event.event().id());
    if (some.next_page_token().empty()) break;
    request.set_page_token(some.next_page_token());
    // Another event of that id, and of another journey, in front of it and behind it.
    if (page == 0) {
      for (const int32_t partition : {0, 2}) {
        room.Publish("orders", partition, {JourneyRoom::Event("e7", "other")});
      }
    }
  }
  for (int i = 0; i < 20; ++i) {
    INFO(i);
    CHECK(told.count("e" + std::to_string(i)) >= 1);
    if (i != 7) CHECK(told.count("e" + std::to_string(i)) == 1);
  }
}

TEST_CASE("a token that names more events than a page has is refused") {
  JourneyRoom room;
  room.CreateTopic("orders", 1);
  const std::vector<v1::Event> batch(500, JourneyRoom::Event("e", "j"));
  for (int i = 0; i < 9; ++i) room.Publish("orders", 0, batch);
  const std::string partition =
      std::to_string(room.topics->Find("default", "orders")->partition(0).value());
  const auto token_to = [&](const std::string& last) {
    return partition + ".0." + partition + "." + last + "." + partition + ".0";
  };
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  const FakeClock clock;  // There is time to find all of them again.
  const Journeys journeys = room.JourneysBy(clock);
  auto request = JourneyRoom::ByEvent("e");
  request.set_page_token(token_to("3999"));
  CHECK_OK(journeys.Get(room.caller, request).status());
  for (const char* last : {"4000", "4499", "4611686018427387904"}) {
    INFO(last);
    request.set_page_token(token_to(last));
    CHECK(ReasonOf(journeys.Get(room.caller, request).status()) == v1::INVALID_ARGUMENT);
  }
}

// Each look at it takes a second, which it counts.
class CountingClock final : public Clock {
 public:
  absl::Time Wall() const override { return absl::UnixEpoch(); }
  absl::Duration SinceBoot() const override { return absl::Seconds(++looks); }
  mutable int looks = 0;
};

// Goal: also where a token goes on over many events that the caller may not browse the time of a
// call is kept. Method: they are in batches of their own, and the time is over at the first.
TEST_CASE("a token over events that nobody may browse takes no longer than other calls") {
  JourneyRoom room;
  room.CreateTopic("closed", 1);
  for (int i = 0; i < 300; ++i) room.Publish("closed", JourneyRoom::Event("e", "j"));
  room.authorizer.closed.insert("closed");
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  const std::string partition =
      std::to_string(room.topics->Find("default", "closed")->partition(0).value());
  auto request = JourneyRoom::ByEvent("e");
  request.set_page_token(partition + ".0." + partition + ".299." + partition + ".0");
  const CountingClock clock;
  const Journeys journeys = room.JourneysBy(clock);
  CHECK(ReasonOf(journeys.Get(room.caller, request).status()) == v1::DEADLINE_PASSED);
  CHECK(clock.looks < 20);
}

TEST_CASE("pages around an event whose topic is gone say so") {
  JourneyRoom room;
  room.CreateTopic("orders", 2);
  room.Publish("orders", 0, {JourneyRoom::Event("e0", "j")});
  for (int i = 1; i < 10; ++i) {
    room.Publish("orders", 1, {JourneyRoom::Event("e" + std::to_string(i), "j")});
  }
  auto request = JourneyRoom::ByPosition("orders", 0, 0);
  request.set_page_size(3);
  request.set_page_token(room.Get(request).next_page_token());
  REQUIRE(!request.page_token().empty());
  v1::DeleteTopicRequest gone;
  gone.set_name("orders");
  REQUIRE_OK(room.topics->Delete(room.caller, gone));
  CHECK(room.ReasonOfGet(request) == v1::TOPIC_NOT_FOUND);
}

// Of 256 KiB.
v1::Event LargeEvent(const std::string& id, const std::string& correlation,
                     const std::string& cause = "") {
  v1::Event event = JourneyRoom::Event(id, correlation, cause);
  for (int i = 0; i < 256; ++i) {
    v1::Affected* const affected = event.add_affected();
    affected->set_kind("user");
    affected->set_id(std::to_string(i) + std::string(1'010, 'x'));
  }
  return event;
}

// With the one that was too much.
constexpr size_t kMostKept = (size_t{8} << 20) + (size_t{300} << 10);

size_t BytesOfFound(const std::vector<FoundEvent>& events) {
  size_t bytes = 0;
  for (const FoundEvent& event : events) bytes += event.event.ByteSizeLong();
  return bytes;
}

EventFinder FinderOf(JourneyRoom& room, std::shared_ptr<ByteBudget> memory =
                                            std::make_shared<ByteBudget>(kMaxJourneyBatchBytes)) {
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  return EventFinder(*room.engine, room.pool, room.clock, *room.topics, *room.indexer,
                     std::move(memory), "default", absl::InfiniteDuration());
}

TEST_CASE("of large events no more are found at once than a few MiB, and pages tell all of them") {
  constexpr size_t kEvents = 200;
  JourneyRoom room;
  room.CreateTopic("orders", 1);
  for (size_t i = 0; i < kEvents; ++i) {
    room.Publish("orders", LargeEvent("e" + std::to_string(i), "j"));
  }
  EventFinder finder = FinderOf(room);
  std::optional<EventFinder::Place> next;
  const auto found = finder.Find({{LinkKind::kCorrelation, "j", ""}}, {}, 10'000, &next);
  REQUIRE_OK(found.status());
  CHECK(next.has_value());
  CHECK(BytesOfFound(*found) <= kMostKept);
  auto request = JourneyRoom::ByCorrelation("j");
  request.set_page_size(10'000);
  const std::multiset<std::string> told = StoredOnPages(room, request);
  CHECK(told.size() == kEvents);
  CHECK(std::set<std::string>(told.begin(), told.end()).size() == kEvents);
}

TEST_CASE("an event is found once, however many others have its id") {
  JourneyRoom room;
  room.CreateTopic("orders", 1);
  v1::Event other = JourneyRoom::Event("a");
  other.set_source("other");
  v1::Event wanted = other;
  wanted.set_source("wanted");
  // With the first of the next batch as many as are looked at together.
  room.Publish("orders", 0, std::vector<v1::Event>(65'536, other));
  room.Publish("orders", 0, {other, wanted});
  EventFinder finder = FinderOf(room);
  std::vector<int64_t> found;
  std::optional<EventFinder::Place> from = EventFinder::Place();
  while (from.has_value()) {
    std::optional<EventFinder::Place> next;
    const auto some = finder.Find({{LinkKind::kId, "a", "wanted"}}, *from, 1, &next);
    REQUIRE_OK(some.status());
    for (const FoundEvent& event : *some) found.push_back(event.offset.value());
    from = next;
  }
  CHECK(found == std::vector<int64_t>{65'537});
}

TEST_CASE("events that retention took keep their id, however many of other tenants have it") {
  JourneyRoom room;
  room.CreateTopic("first", 1);
  v1::CreateTopicRequest request;
  request.mutable_topic()->set_name("between");
  request.mutable_topic()->set_partitions(1);
  const Caller other{"anonymous", "other", "", absl::InfiniteDuration()};
  REQUIRE_OK(room.topics->Create(other, request));
  room.CreateTopic("last", 1);
  const PartitionId between = room.topics->Find("other", "between")->partition(0);
  room.PublishTo(between, std::vector<v1::Event>(65'536, JourneyRoom::Event("a")));
  for (const char* const topic : {"first", "last"}) {
    room.Publish(topic, JourneyRoom::Event("a"));
    REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
    room.engine->TrimTo(room.topics->Find("default", topic)->partition(0), Offset(1));
  }
  const auto journey = room.Get(JourneyRoom::ByEvent("a"));
  CHECK(journey.events_size() == 2);
  for (const v1::JourneyEvent& event : journey.events()) {
    CHECK(event.state() == v1::JOURNEY_EVENT_STATE_TRIMMED);
    CHECK(event.event().id() == "a");
  }
}

TEST_CASE("a page that a few large events fill is made again a few times, not for each event") {
  JourneyRoom room;
  room.CreateTopic("orders");
  std::vector<v1::Event> large, small;
  for (int i = 0; i < 15; ++i) large.push_back(LargeEvent("large " + std::to_string(i), "j"));
  for (int i = 0; i < 1'000; ++i) small.push_back(JourneyRoom::Event(std::to_string(i), "j"));
  room.Publish("orders", 0, large);
  room.Publish("orders", 1, small);
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  const FakeClock clock;  // There is time for all of it.
  const Journeys journeys = room.JourneysBy(clock);
  auto request = JourneyRoom::ByCorrelation("j");
  request.set_page_size(1'000);
  const int64_t before = room.engine->Stats().cache_reads;
  const auto page = journeys.Get(room.caller, request);
  REQUIRE_OK(page.status());
  CHECK(page->events_size() > 0);
  CHECK(page->ByteSizeLong() < size_t{4} << 20);
  // Two batches each time.
  CHECK(room.engine->Stats().cache_reads - before < 30);
}

TEST_CASE("large events further away are left out beyond a few MiB, and it is said") {
  JourneyRoom room;
  room.CreateTopic("orders", 1);
  room.Publish("orders", JourneyRoom::Event("root", "j"));
  for (int i = 0; i < 60; ++i) {
    const std::string number = std::to_string(i);
    room.Publish("orders", LargeEvent("e" + number, "of " + number, "root"));
  }
  EventFinder finder = FinderOf(room);
  std::optional<EventFinder::Place> next;
  auto found = finder.Find({{LinkKind::kCorrelation, "j", ""}}, {}, 10'000, &next);
  REQUIRE_OK(found.status());
  JourneyGathering gathering(finder, 10'000);
  gathering.StartCorrelation(*std::move(found), "j", /*first=*/true, /*last=*/true);
  REQUIRE_OK(gathering.Complete());
  CHECK(gathering.truncated());
  CHECK(BytesOfFound(gathering.Take()) <= kMostKept);
}

TEST_CASE("the data of events is not kept where they are told without it") {
  JourneyRoom room;
  room.CreateTopic("orders", 1);
  v1::Event event = JourneyRoom::Event("e", "j");
  event.set_data(std::string(size_t{1} << 20, 'd'));
  room.Publish("orders", event);
  EventFinder finder = FinderOf(room);
  std::optional<EventFinder::Place> next;
  const auto found = finder.Find({{LinkKind::kCorrelation, "j", ""}}, {}, 10, &next);
  REQUIRE_OK(found.status());
  REQUIRE(found->size() == 1);
  CHECK(found->front().data_bytes == int64_t{1} << 20);
  CHECK(found->front().bytes() < 10'000);
}

// How many reads of the disk it takes `finder` to find ten events, each in a batch of its own.
int64_t ReadsOfTen(JourneyRoom& room, EventFinder& finder) {
  const int64_t before = room.engine->Stats().cold_reads;
  std::optional<EventFinder::Place> next;
  const auto found = finder.Find({{LinkKind::kCorrelation, "j", ""}}, {}, 100, &next);
  REQUIRE_OK(found.status());
  CHECK(found->size() == 10);
  return room.engine->Stats().cold_reads - before;
}

TEST_CASE("calls together keep as many batches as have room, and read the others again") {
  JourneyRoom room;
  room.CreateTopic("orders", 1);
  int64_t batch_bytes = 0;
  for (int i = 0; i < 10; ++i) {
    v1::PartitionBatch batch;
    *batch.add_events() = JourneyRoom::Event("e" + std::to_string(i), "j");
    batch_bytes = static_cast<int64_t>(batch.ByteSizeLong());
    room.Publish("orders", batch.events(0));
  }
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  room.engine->SetCachedReads(false);
  const auto memory = std::make_shared<ByteBudget>(10 * batch_bytes);
  std::optional<EventFinder> first(FinderOf(room, memory));
  CHECK(ReadsOfTen(room, *first) == 10);
  CHECK(memory->used() == 10 * batch_bytes);
  CHECK(ReadsOfTen(room, *first) == 0);
  // Beside it there is room for none but the batch that is looked at.
  EventFinder second = FinderOf(room, memory);
  for (int i = 0; i < 2; ++i) {
    CHECK(ReadsOfTen(room, second) == 10);
    CHECK(memory->used() == 11 * batch_bytes);
  }
  CHECK(ReadsOfTen(room, *first) == 0);
  first.reset();
  CHECK(memory->used() == batch_bytes);
  CHECK(ReadsOfTen(room, second) == 9);
  CHECK(ReadsOfTen(room, second) == 0);
  CHECK(memory->used() == 10 * batch_bytes);
}

TEST_CASE("a call for which there is no memory to keep batches tells the same") {
  JourneyRoom room;
  room.CreateTopic("orders");
  PublishChain(room, 20);
  const auto request = JourneyRoom::ByCorrelation("root");
  const Journeys small({*room.engine, room.clock, *room.topics, room.authorizer, *room.indexer,
                        *room.groups, room.pool, /*most_batch_bytes=*/0});
  for (int i = 0; i < 2; ++i) {
    const auto told = small.Get(room.caller, request);
    REQUIRE_OK(told.status());
    CHECK(JourneyRoom::Edges(*told) == JourneyRoom::Edges(room.Get(request)));
    CHECK_FALSE(told->truncated());
  }
}

}  // namespace
}  // namespace acta
