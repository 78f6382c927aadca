#include <thread>

#include "absl/strings/str_cat.h"
#include "storage/layout/rows.h"
#include "tests/unit/topics/topics_room.h"

namespace acta {
namespace {

// An engine that does not open what is written for it.
class ShutEngine final : public MemoryLogEngine {
 public:
  absl::Status OpenTopic(TopicId topic, int32_t partitions,
                         const TopicSettings& settings) override {
    if (shut) return Error(v1::INTERNAL, "no family can be made");
    return MemoryLogEngine::OpenTopic(topic, partitions, settings);
  }
  bool shut = false;
};

TEST_CASE("topics are the same after a restart", "[topics]") {
  TopicsRoom room;
  v1::CreateTopicRequest request = TopicsRoom::Named("orders", 3);
  request.mutable_topic()->set_visible_at(v1::ACK_LEVEL_OS);
  request.mutable_topic()->set_partitioner(v1::PARTITIONER_EXPLICIT);
  (*request.mutable_topic()->mutable_labels())["team"] = "sales";
  REQUIRE_OK(room.topics->Create(room.caller, request));
  room.Make("shipments", 2);
  room.Make("gone");
  REQUIRE_OK(room.Delete("gone"));
  REQUIRE_OK(room.Grow("shipments", 5, true));
  room.Publish("shipments", 4, 7);
  const TopicPtr before = room.topics->Find("default", "orders");

  room.Restart();
  CHECK(room.Names() == std::vector<std::string>{"orders", "shipments"});
  const TopicPtr after = room.topics->Find("default", "orders");
  REQUIRE(after != nullptr);
  CHECK(after->id == before->id);
  CHECK(after->tenant == before->tenant);
  CHECK(after->proto.SerializeAsString() == before->proto.SerializeAsString());
  CHECK(after->settings.visible_at == Level::kOs);
  CHECK(room.topics->partition_count() == 8);
  const TopicPtr shipments = room.topics->Find("default", "shipments");
  CHECK(room.engine->Extent(shipments->partition(4))->end == Offset(7));
}

TEST_CASE("a topic id is never used again", "[topics]") {
  TopicsRoom room;
  room.Make("a");
  room.Make("b");
  const TopicId last = room.topics->Find("default", "b")->id;
  REQUIRE_OK(room.Delete("b"));
  room.Make("b");
  CHECK(room.topics->Find("default", "b")->id > last);
  const TopicId newest = room.topics->Find("default", "b")->id;
  REQUIRE_OK(room.Delete("a"));
  REQUIRE_OK(room.Delete("b"));
  room.Restart();
  room.Make("c");
  CHECK(room.topics->Find("default", "c")->id > newest);
}

TEST_CASE("a topic made anew does not show the events of the old one", "[topics]") {
  TopicsRoom room;
  room.Make("orders", 1);
  room.Publish("orders", 0, 5);
  REQUIRE_OK(room.Delete("orders"));
  room.Make("orders", 1);
  const TopicPtr topic = room.topics->Find("default", "orders");
  CHECK(room.engine->Extent(topic->partition(0))->end == Offset(0));
}

TEST_CASE("what could not be written did not happen", "[topics]") {
  TopicsRoom room;
  room.Make("orders", 2);
  room.engine->FailNextSubmit(Error(v1::DISK_FULL, "full"));
  CHECK(ReasonOf(room.topics->Create(room.caller, TopicsRoom::Named("new")).status()) ==
        v1::DISK_FULL);
  CHECK(room.topics->Find("default", "new") == nullptr);
  room.engine->FailNextWrite(Error(v1::OUTCOME_UNKNOWN, "sync"));
  CHECK(ReasonOf(room.Grow("orders", 3, true)) == v1::OUTCOME_UNKNOWN);
  CHECK(room.topics->Find("default", "orders")->partitions() == 2);
  room.engine->FailNextWrite(Error(v1::OUTCOME_UNKNOWN, "sync"));
  CHECK(ReasonOf(room.Delete("orders")) == v1::OUTCOME_UNKNOWN);
  const TopicPtr topic = room.topics->Find("default", "orders");
  REQUIRE(topic != nullptr);
  CHECK_OK(room.engine->Extent(topic->partition(0)));
}

TEST_CASE("an id whose write has an unknown outcome is not used again", "[topics]") {
  TopicsRoom room;
  room.Make("a");
  room.engine->FailNextWrite(Error(v1::OUTCOME_UNKNOWN, "sync"));
  CHECK_FALSE(room.topics->Create(room.caller, TopicsRoom::Named("b")).ok());
  room.Make("b");
  CHECK(room.topics->Find("default", "b")->id.value() ==
        room.topics->Find("default", "a")->id.value() + 2);
}

TEST_CASE("a topic is not seen before it is durable", "[topics]") {
  TopicsRoom room;
  room.engine->HoldDone();
  absl::Status created = absl::UnknownError("not yet");
  std::thread creator(
      [&] { created = room.topics->Create(room.caller, TopicsRoom::Named("orders")).status(); });
  while (room.engine->held() == 0) std::this_thread::yield();
  const bool seen = room.topics->Find("default", "orders") != nullptr;
  room.engine->ReleaseDone();
  creator.join();
  CHECK_FALSE(seen);
  CHECK_OK(created);
  CHECK(room.topics->Find("default", "orders") != nullptr);
}

TEST_CASE("a topic the engine cannot open is taken back, on disk too", "[topics]") {
  ShutEngine engine;
  TopicRegistry topics(engine, TopicLimits());
  const Caller caller;
  REQUIRE_OK(topics.Create(caller, TopicsRoom::Named("orders", 2)));
  engine.shut = true;
  CHECK(ReasonOf(topics.Create(caller, TopicsRoom::Named("new")).status()) == v1::INTERNAL);
  CHECK(topics.Find("default", "new") == nullptr);
  CHECK(engine.LoadRows(Family::kMeta, TopicRow("default", "new"))->empty());
  const auto before = engine.LoadRows(Family::kMeta, TopicRow("default", "orders"));
  v1::UpdateTopicRequest change = TopicsRoom::Change("orders", {"retention_bytes"});
  change.mutable_topic()->set_retention_bytes(5);
  CHECK(ReasonOf(topics.Update(caller, change).status()) == v1::INTERNAL);
  CHECK(topics.Find("default", "orders")->settings.retention_bytes == 0);
  CHECK(*engine.LoadRows(Family::kMeta, TopicRow("default", "orders")) == *before);
}

TEST_CASE("a damaged record stops the start", "[topics]") {
  const auto start_with = [](const std::string& key, const std::string& value) {
    MemoryLogEngine engine;
    Transaction transaction;
    transaction.rows.push_back({Family::kMeta, key, value});
    transaction.done = [](TransactionResult) {};
    REQUIRE_OK(engine.Submit(std::move(transaction)));
    return ReasonOf(TopicRegistry(engine, TopicLimits()).Load());
  };
  CHECK(start_with(TopicRow("default", "orders"), "\xff") == v1::DATA_CORRUPTED);
  CHECK(start_with(TopicRow("default", "orders"), "") == v1::DATA_CORRUPTED);
  CHECK(start_with(kNextTopicIdRow, "short") == v1::DATA_CORRUPTED);
}

TEST_CASE("topics made by many threads all have ids of their own", "[topics]") {
  TopicsRoom room;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&room, thread] {
      for (int i = 0; i < 25; ++i) {
        const std::string name = absl::StrCat("t", thread, "-", i);
        (void)room.topics->Create(room.caller, TopicsRoom::Named(name, 1));
        (void)room.topics->Create(room.caller, TopicsRoom::Named("shared", 1));
        (void)room.topics->Find("default", name);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(room.topics->topic_count() == 101);
  room.Restart();
  CHECK(room.topics->topic_count() == 101);
}

}  // namespace
}  // namespace acta
