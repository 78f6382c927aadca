#include <catch2/catch.hpp>

#include <future>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "acta/storage/v1/records.pb.h"
#include "storage/layout/rows.h"
#include "tests/unit/journeys/journey_room.h"

namespace acta {
namespace {

using Strings = std::vector<std::string>;

JourneyLimits TenInMemory() {
  JourneyLimits limits;
  limits.buffer_bytes = 10 * sizeof(IndexEntry);
  return limits;
}

TEST_CASE("a topic says how much of it can be found") {
  JourneyRoom room;
  room.CreateTopic("some", 1, v1::JOURNEY_MODE_CORRELATION);
  room.CreateTopic("none", 1, v1::JOURNEY_MODE_OFF);
  room.Publish("some", JourneyRoom::Event("a", "j"));
  room.Publish("none", JourneyRoom::Event("b", "j"));
  const auto journey = room.Get(JourneyRoom::ByCorrelation("j"));
  CHECK(JourneyRoom::Edges(journey) == Strings{"a"});
  CHECK(journey.index().not_indexed_topics_size() == 2);
  CHECK(room.ReasonOfGet(JourneyRoom::ByEvent("a")) == v1::EVENT_NOT_FOUND);
  CHECK(room.ReasonOfGet(JourneyRoom::ByEvent("b")) == v1::EVENT_NOT_FOUND);
  room.SetMode("none", v1::JOURNEY_MODE_FULL);  // What is there already is indexed then.
  CHECK(JourneyRoom::Edges(room.Get(JourneyRoom::ByEvent("b"))) == Strings{"a", "b"});
}

TEST_CASE("a topic that is to be found by more is looked at again, also by a later life") {
  for (const bool restarts : {false, true}) {
    JourneyRoom room(restarts ? TenInMemory() : JourneyLimits());
    room.CreateTopic("some", 1, v1::JOURNEY_MODE_CORRELATION);
    for (int i = 0; i < 20; ++i) {
      room.Publish("some", JourneyRoom::Event("e" + std::to_string(i), "j"));
    }
    REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
    CHECK(room.ReasonOfGet(JourneyRoom::ByEvent("e0")) == v1::EVENT_NOT_FOUND);
    if (restarts) room.Restart();
    room.SetMode("some", v1::JOURNEY_MODE_FULL);
    CHECK(room.Get(JourneyRoom::ByEvent("e0")).events_size() == 20);
    room.SetMode("some", v1::JOURNEY_MODE_CORRELATION);
    room.Publish("some", JourneyRoom::Event("late", "j"));
    REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
    room.SetMode("some", v1::JOURNEY_MODE_OFF);
    room.SetMode("some", v1::JOURNEY_MODE_FULL);
    CHECK(room.Get(JourneyRoom::ByEvent("late")).events_size() == 21);
  }
}

TEST_CASE("a partition that is looked at again and again waits for news once") {
  JourneyRoom room;
  room.CreateTopic("some", 1, v1::JOURNEY_MODE_CORRELATION);
  for (int i = 0; i < 20; ++i) {
    for (const v1::JourneyMode mode : {v1::JOURNEY_MODE_FULL, v1::JOURNEY_MODE_CORRELATION}) {
      room.SetMode("some", mode);
      REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
    }
  }
  room.indexer->Stop();
  CHECK(room.engine->waiting_for_events() == 0);
}

// What the indexer is told of events 0 to 2 of the next batch that it reads from the disk.
void FailRead(JourneyRoom& room, ErrorDetails also) {
  ErrorDetails details = {{"first_lost", "0"}, {"last_lost", "2"}};
  details.insert(details.end(), also.begin(), also.end());
  room.engine->SetCachedReads(false);
  room.engine->FailNextRead(Error(v1::DATA_CORRUPTED, "cannot be read", std::move(details)));
  room.Publish("orders", 0,
               {JourneyRoom::Event("a"), JourneyRoom::Event("b"), JourneyRoom::Event("c")});
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
}

TEST_CASE("what the disk does not give for a while is found when it does") {
  JourneyRoom room;
  room.CreateTopic("orders");
  FailRead(room, {{kIoErrorDetail, "true"}});
  CHECK(room.indexer->Measure().unreadable_events == 0);
  CHECK(JourneyRoom::Edges(room.Get(JourneyRoom::ByEvent("b"))) == Strings{"b"});
}

TEST_CASE("what is damaged, or what the disk does not give for long, is passed over") {
  JourneyLimits limits;
  const bool damaged = GENERATE(true, false);
  if (!damaged) limits.io_patience = absl::ZeroDuration();
  JourneyRoom room(limits);
  room.CreateTopic("orders");
  FailRead(room, damaged ? ErrorDetails() : ErrorDetails{{kIoErrorDetail, "true"}});
  CHECK(room.indexer->Measure().unreadable_events == 3);
  room.Publish("orders", JourneyRoom::Event("later"));
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  const auto later = room.journeys->Get(room.caller, JourneyRoom::ByEvent("later"));
  REQUIRE_OK(later.status());
  CHECK(JourneyRoom::Edges(*later) == Strings{"later"});
  // What may still come is missing.
  CHECK(later->index().lag_events() == (damaged ? 0 : 3));
  CHECK(room.indexer->Measure().lag_events == (damaged ? 0 : 3));
}

TEST_CASE("what was passed over is found once the disk gives it, also by a later life") {
  const bool restarts = GENERATE(false, true);
  JourneyLimits limits = TenInMemory();
  limits.io_patience = absl::ZeroDuration();
  if (!restarts) limits.missed_pause = absl::ZeroDuration();
  JourneyRoom room(limits);
  room.CreateTopic("orders");
  FailRead(room, {{kIoErrorDetail, "true"}});
  if (restarts) {
    room.Publish("orders", 0, std::vector<v1::Event>(20, JourneyRoom::Event("later")));
    REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
    room.Publish("orders", JourneyRoom::Event("more"));  // Before it is read, a file is written.
    REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
    REQUIRE(room.indexer->Measure().files > 0);
    CHECK(room.indexer->Measure().missed_events == 3);
    room.Restart();
    REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  }
  const absl::Duration begin = room.clock.SinceBoot();
  while (room.indexer->Measure().lag_events > 0) {
    REQUIRE(room.clock.SinceBoot() - begin < absl::Seconds(30));
    absl::SleepFor(absl::Milliseconds(10));
  }
  CHECK(JourneyRoom::Edges(room.Get(JourneyRoom::ByEvent("b"))) == Strings{"b"});
}

// Writes down what it sees: "0-2" of a batch, "to 3" of what was passed over.
class Listing final : public BatchObserver {
 public:
  void OnBatch(const StoredBatch& batch) override {
    seen.push_back(absl::StrCat(batch.base_offset.value(), "-", batch.end().value()));
  }
  void OnPassed(PartitionId, Offset end) override {
    seen.push_back(absl::StrCat("to ", end.value()));
  }
  Strings seen;
};

TEST_CASE("who sees what is indexed is told what is passed over") {
  JourneyLimits limits;
  limits.io_patience = absl::ZeroDuration();
  JourneyRoom room(limits);
  room.CreateTopic("orders", 1);
  for (const char* id : {"a", "b", "c", "d"}) room.Publish("orders", JourneyRoom::Event(id));
  room.indexer->Stop();
  const PartitionId partition = room.topics->Find("default", "orders")->partition(0);
  room.engine->TrimTo(partition, Offset(1));
  room.engine->SetCachedReads(false);
  room.engine->FailReadsAt(partition, Offset(1),
                           Error(v1::DATA_CORRUPTED, "cannot be read", {{kIoErrorDetail, "true"}}));
  room.engine->CorruptBatch(partition, Offset(2));
  Listing listing;
  JourneyIndexer indexer(*room.engine, room.clock, *room.topics, limits);
  REQUIRE_OK(indexer.Load());
  indexer.SetObserver(&listing);
  indexer.Start();
  REQUIRE(indexer.CatchUp(absl::Seconds(20)));
  indexer.Stop();
  CHECK(listing.seen == Strings{"to 2", "to 3", "3-4"});
}

// Eight partitions of 20 events each, all of which the disk did not give and gives from now on.
void MissAndGiveAll(JourneyRoom& room, DiskState disk) {
  constexpr int32_t kPartitions = 8;
  const std::vector<v1::Event> events(20, JourneyRoom::Event("e"));
  room.engine->SetCachedReads(false);
  room.CreateTopic("orders", kPartitions, v1::JOURNEY_MODE_OFF);
  const TopicPtr topic = room.topics->Find("default", "orders");
  const absl::Status refused =
      Error(v1::DATA_CORRUPTED, "cannot be read",
            {{"first_lost", "0"}, {"last_lost", "19"}, {kIoErrorDetail, "true"}});
  for (int32_t i = 0; i < kPartitions; ++i) {
    room.Publish("orders", i, events);
    room.engine->FailReadsAt(topic->partition(i), Offset(0), refused);
  }
  room.SetMode("orders", v1::JOURNEY_MODE_FULL);
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  REQUIRE(room.indexer->Measure().missed_events == 160);
  REQUIRE(room.indexer->Measure().entries == 0);
  room.engine->SetDiskState(disk);
  for (int32_t i = 0; i < kPartitions; ++i) {
    room.engine->FailReadsAt(topic->partition(i), Offset(0), absl::OkStatus());
  }
}

TEST_CASE("what was passed over is read again within the memory of the index") {
  const bool full = GENERATE(false, true);
  JourneyLimits limits = TenInMemory();
  limits.io_patience = limits.missed_pause = absl::ZeroDuration();
  JourneyRoom room(limits);
  MissAndGiveAll(room, full ? DiskState::kHard : DiskState::kOk);
  const absl::Duration begin = room.clock.SinceBoot();
  const int64_t last = full ? 140 : 0;  // A full disk leaves room for one read.
  while (room.indexer->Measure().missed_events > last) {
    REQUIRE(room.clock.SinceBoot() - begin < absl::Seconds(30));
    absl::SleepFor(absl::Milliseconds(10));
  }
  room.indexer->Stop();  // All that is read at once is read.
  const JourneyIndexer::Figures figures = room.indexer->Measure();
  CHECK(figures.missed_events == last);
  CHECK((figures.files > 0) == !full);
  CHECK(figures.entries <= 10 + 20);
}

// Keeps the indexer at each batch that it reads until it is let on.
class SlowReader final : public BatchObserver {
 public:
  void OnBatch(const StoredBatch&) override {
    MutexLock lock(mu_);
    ++reached_;
    changed_.SignalAll();
    while (let_on_ < reached_) changed_.Wait(mu_);
  }
  void OnPassed(PartitionId, Offset) override {}
  void Await(int batches) {
    MutexLock lock(mu_);
    while (reached_ < batches) changed_.Wait(mu_);
  }
  void LetOn(int batches) {
    MutexLock lock(mu_);
    let_on_ = batches;
    changed_.SignalAll();
  }

 private:
  Mutex mu_;  // Leaf.
  CondVar changed_;
  int reached_ ABSL_GUARDED_BY(mu_) = 0;
  int let_on_ ABSL_GUARDED_BY(mu_) = 0;
};

TEST_CASE("the index is as late as what it has not read, also while there is always something") {
  JourneyRoom room;
  room.CreateTopic("orders", 1);
  SlowReader reader;
  JourneyIndexer indexer(*room.engine, room.clock, *room.topics, JourneyLimits());
  REQUIRE_OK(indexer.Load());
  indexer.SetObserver(&reader);
  room.Publish("orders", JourneyRoom::Event("e1"));
  indexer.Start();
  for (int i = 1; i <= 5; ++i) {
    reader.Await(i);
    room.engine->Advance(absl::Minutes(1));
    room.Publish("orders", JourneyRoom::Event("e" + std::to_string(i + 1)));
    reader.LetOn(i);
  }
  reader.Await(6);
  const JourneyIndexer::Figures late = indexer.Measure();  // Before the last one is indexed.
  reader.LetOn(6);
  CHECK(late.lag_events == 1);
  CHECK(late.lag >= absl::Minutes(1));
  CHECK(late.lag < absl::Minutes(2));
  CHECK(indexer.CatchUp(absl::Seconds(20)));
  CHECK(indexer.Measure().lag == absl::ZeroDuration());
}

TEST_CASE("the index is made anew from the log") {
  JourneyRoom room(TenInMemory());
  room.CreateTopic("orders");
  for (int i = 0; i < 100; ++i) {
    room.Publish("orders", JourneyRoom::Event("e" + std::to_string(i), "j"));
  }
  room.Get(JourneyRoom::ByEvent("e0"));
  room.Publish("orders", JourneyRoom::Event("more"));  // Before it is read, a file is written.
  room.Get(JourneyRoom::ByEvent("more"));
  REQUIRE(room.indexer->Measure().files > 0);
  REQUIRE_OK(room.engine->DropIndex());
  CHECK(room.ReasonOfGet(JourneyRoom::ByEvent("e0")) == v1::EVENT_NOT_FOUND);
  REQUIRE_OK(room.indexer->Rebuild());
  CHECK(room.Get(JourneyRoom::ByEvent("e0")).events_size() == 100);
  REQUIRE_OK(room.indexer->Rebuild());
  room.Restart();
  CHECK(room.Get(JourneyRoom::ByEvent("e0")).events_size() == 100);
}

// Holds the indexer at the first batch that it has read.
class Holding final : public BatchObserver {
 public:
  void OnBatch(const StoredBatch&) override {
    if (std::exchange(held_, true)) return;
    reached.set_value();
    go.get_future().wait();
  }
  void OnPassed(PartitionId, Offset) override {}

  std::promise<void> reached, go;

 private:
  bool held_ = false;
};

TEST_CASE("what is to be found by more while it is read is read again, also from its beginning") {
  JourneyRoom room;
  room.indexer->Stop();
  room.CreateTopic("some", 1, v1::JOURNEY_MODE_CORRELATION);
  room.Publish("some", JourneyRoom::Event("a", "j"));
  Holding holding;
  JourneyIndexer indexer(*room.engine, room.clock, *room.topics, room.limits);
  REQUIRE_OK(indexer.Load());
  indexer.SetObserver(&holding);
  indexer.Start();
  holding.reached.get_future().wait();
  room.SetMode("some", v1::JOURNEY_MODE_FULL);
  const absl::Status rebuilt = indexer.Rebuild();
  holding.go.set_value();
  REQUIRE_OK(rebuilt);
  REQUIRE(indexer.CatchUp(absl::Seconds(20)));
  const Journeys journeys(
      {*room.engine, room.clock, *room.topics, room.authorizer, indexer, *room.groups, room.pool});
  CHECK_OK(journeys.Get(room.caller, JourneyRoom::ByEvent("a")).status());
  indexer.Stop();
}

TEST_CASE("much log with few entries makes a file too, so that a start has little to read again") {
  JourneyLimits limits;
  limits.buffer_log_bytes = 10'000;
  JourneyRoom room(limits);
  room.CreateTopic("orders");
  const auto publish = [&room](const std::string& id, size_t bytes) {
    v1::Event event = JourneyRoom::Event(id);
    event.set_data(std::string(bytes, 'x'));
    room.Publish("orders", event);
    CHECK(room.Get(JourneyRoom::ByEvent(id)).events_size() == 1);
  };
  publish("a", 6'000);
  CHECK(room.indexer->Measure().files == 0);
  publish("b", 6'000);
  publish("c", 1);  // Before it is read, a file is written.
  CHECK(room.indexer->Measure().files == 1);
  room.Restart();
  for (const char* id : {"a", "b", "c"}) {
    CHECK(room.Get(JourneyRoom::ByEvent(id)).events_size() == 1);
  }
  CHECK(room.indexer->Measure().indexed_events == 1);
}

TEST_CASE("an index of another form is made anew from the log, once") {
  JourneyRoom room(TenInMemory());
  room.CreateTopic("orders");
  for (int i = 0; i < 100; ++i) {
    room.Publish("orders", JourneyRoom::Event("e" + std::to_string(i), "j"));
  }
  const auto write_file = [&](const std::string& id) {
    room.Get(JourneyRoom::ByEvent("e0"));
    room.Publish("orders", JourneyRoom::Event(id, "j"));  // Before it is read, a file is written.
    room.Get(JourneyRoom::ByEvent("e0"));
    REQUIRE(room.indexer->Measure().files > 0);
  };
  write_file("more");
  // Files of which nothing is found, and positions from before forms had numbers.
  room.indexer->Stop();
  REQUIRE_OK(room.engine->DropIndex());
  const auto rows = room.engine->LoadRows(Family::kState, kIndexedRows);
  REQUIRE_OK(rows.status());
  REQUIRE(!rows->empty());
  Transaction older;
  for (const auto& [key, value] : *rows) {
    storage::v1::IndexedRecord record;
    REQUIRE(record.ParseFromString(value));
    REQUIRE(record.form() == kIndexForm);
    record.clear_form();
    older.rows.push_back({Family::kState, key, record.SerializeAsString()});
  }
  REQUIRE_OK(SubmitAndWait(*room.engine, std::move(older)).status);
  room.Restart();
  CHECK(room.Get(JourneyRoom::ByEvent("e0")).events_size() == 101);
  write_file("more yet");
  room.Restart();
  CHECK(room.Get(JourneyRoom::ByEvent("e0")).events_size() == 102);
  CHECK(room.indexer->Measure().indexed_events < 102);
}

// Remembers how far behind the index was when it was dropped.
class DroppedIndex final : public MemoryLogEngine {
 public:
  absl::Status DropIndex() override {
    lag_events = indexer->Measure().lag_events;
    return MemoryLogEngine::DropIndex();
  }
  const JourneyIndexer* indexer = nullptr;
  int64_t lag_events = 0;
};

TEST_CASE("what is not found is said to be perhaps not indexed yet, where that may be") {
  JourneyRoom room;
  room.CreateTopic("orders", 1);
  room.Publish("orders", JourneyRoom::Event("a"));
  const absl::Status nowhere = room.journeys->Get(room.caller, JourneyRoom::ByEvent("b")).status();
  CHECK(DetailsOf(nowhere).empty());
  CHECK(absl::StrContains(nowhere.message(), "waits as a schedule for its time"));
  room.indexer->Stop();  // It reads nothing any more.
  room.Publish("orders", JourneyRoom::Event("b"));
  const auto check = [](const absl::Status& status, const std::string& lag) {
    CHECK(ReasonOf(status) == v1::EVENT_NOT_FOUND);
    CHECK(DetailsOf(status)["lag_events"] == lag);
  };
  check(room.journeys->Get(room.caller, JourneyRoom::ByEvent("b")).status(), "1");
  v1::AskQuestionsRequest questions;
  questions.mutable_selection()->mutable_event()->set_id("b");
  check(room.journeys->Ask(room.caller, questions).status(), "1");
  check(room.journeys->Get(room.caller, JourneyRoom::ByPosition("orders", 0, 2)).status(), "");
}

TEST_CASE("an index that is made anew is behind before it is gone") {
  auto engine = std::make_unique<DroppedIndex>();
  DroppedIndex& dropped = *engine;
  JourneyRoom room({}, std::move(engine));
  dropped.indexer = room.indexer.get();
  room.CreateTopic("orders", 1);
  for (const char* id : {"a", "b"}) room.Publish("orders", JourneyRoom::Event(id));
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  room.indexer->Stop();
  REQUIRE_OK(room.indexer->Rebuild());
  CHECK(dropped.lag_events == 2);
}

// A hundred events of one journey, most of them in files of the index, which is damaged now.
void DamageIndex(JourneyRoom& room) {
  room.CreateTopic("orders");
  for (int i = 0; i < 100; ++i) {
    room.Publish("orders", JourneyRoom::Event("e" + std::to_string(i), "j"));
  }
  room.Get(JourneyRoom::ByEvent("e0"));
  room.engine->BreakIndex(Error(v1::DATA_CORRUPTED, "damaged"));
}

// Asks no question meanwhile.
void AwaitAnew(JourneyRoom& room, absl::Duration engine_step = absl::ZeroDuration()) {
  const auto readable = [&] {
    IndexPlaces none({}, 0);
    return room.engine->FindInIndex({}, &none).ok();
  };
  const absl::Duration begin = room.clock.SinceBoot();
  while (!readable()) {
    REQUIRE(room.clock.SinceBoot() - begin < absl::Seconds(30));
    absl::SleepFor(absl::Milliseconds(10));
    room.engine->Advance(engine_step);
  }
  CHECK(room.Get(JourneyRoom::ByEvent("e0")).events_size() == 100);
}

TEST_CASE("a damaged index is made anew by itself") {
  JourneyRoom room(TenInMemory());
  DamageIndex(room);
  CHECK(room.ReasonOfGet(JourneyRoom::ByEvent("e0")) == v1::DATA_CORRUPTED);
  AwaitAnew(room);
}

TEST_CASE("a start that finds a damaged index makes it anew before anybody asks") {
  JourneyRoom room(TenInMemory());
  DamageIndex(room);
  room.Restart();
  AwaitAnew(room);
}

TEST_CASE("a damaged index that cannot be dropped is tried again before anybody asks") {
  JourneyRoom room(TenInMemory());
  DamageIndex(room);
  room.engine->FailNextWrite(absl::ResourceExhaustedError("full"));
  CHECK(room.ReasonOfGet(JourneyRoom::ByEvent("e0")) == v1::DATA_CORRUPTED);
  AwaitAnew(room, absl::Seconds(1));
}

TEST_CASE("a full disk keeps the index in memory until there is room") {
  JourneyRoom room(TenInMemory());
  room.CreateTopic("orders");
  room.engine->FailNextIndex(absl::ResourceExhaustedError("full"));
  room.Publish("orders", 0, std::vector<v1::Event>(50, JourneyRoom::Event("e", "j")));
  CHECK(room.Get(JourneyRoom::ByEvent("e")).events_size() == 50);
  room.Publish("orders", JourneyRoom::Event("f", "j"));  // Is read when there is room.
  const auto meanwhile = room.journeys->Get(room.caller, JourneyRoom::ByEvent("e"));
  REQUIRE_OK(meanwhile.status());
  CHECK(meanwhile->index().lag_events() == 1);
  CHECK(room.indexer->Measure().files == 0);
  room.engine->Advance(absl::Seconds(11));
  CHECK(room.indexer->CatchUp(absl::Seconds(20)));
  CHECK(room.indexer->Measure().files == 1);
  CHECK(room.Get(JourneyRoom::ByEvent("f")).events_size() == 51);
}

}  // namespace
}  // namespace acta
