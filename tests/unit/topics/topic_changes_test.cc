#include "absl/strings/str_cat.h"
#include "storage/base/clock.h"
#include "tests/unit/topics/topics_room.h"

namespace acta {
namespace {

TEST_CASE("a created topic is found by name and by id", "[topics]") {
  TopicsRoom room;
  const auto created = room.topics->Create(room.caller, TopicsRoom::Named("orders", 3));
  REQUIRE_OK(created);
  CHECK(created->topic().partitions() == 3);
  CHECK(created->topic().create_time().seconds() == absl::ToUnixSeconds(room.engine->Now()));
  CHECK(created->topic().update_time().seconds() == created->topic().create_time().seconds());
  const TopicPtr topic = room.topics->Find("default", "orders");
  REQUIRE(topic != nullptr);
  CHECK(room.topics->FindById(topic->id) == topic);
  CHECK(room.topics->Find("other", "orders") == nullptr);
  CHECK(room.topics->Find("default", "order") == nullptr);
  CHECK(room.topics->FindById(TopicId(99)) == nullptr);
  CHECK_OK(room.engine->Extent(topic->partition(2)));
  CHECK_FALSE(room.engine->Extent(topic->partition(3)).ok());
  CHECK(room.topics->topic_count() == 1);
  CHECK(room.topics->partition_count() == 3);
}

TEST_CASE("a name is given once", "[topics]") {
  TopicsRoom room;
  room.Make("orders");
  const auto again = room.topics->Create(room.caller, TopicsRoom::Named("orders"));
  CHECK(ReasonOf(again.status()) == v1::TOPIC_ALREADY_EXISTS);
  CHECK(DetailsOf(again.status()).at("topic") == "orders");
  room.Make("Orders");
}

TEST_CASE("nothing is changed once the deadline of the call passed", "[topics]") {
  TopicsRoom room;
  room.Make("orders", 1);
  const uint64_t groups = room.engine->Stats().last_group.value();
  room.caller.deadline = SystemClock().SinceBoot() - absl::Seconds(1);
  CHECK(ReasonOf(room.topics->Create(room.caller, TopicsRoom::Named("late")).status()) ==
        v1::DEADLINE_PASSED);
  CHECK(ReasonOf(room.Grow("orders", 2, true)) == v1::DEADLINE_PASSED);
  CHECK(ReasonOf(room.Delete("orders")) == v1::DEADLINE_PASSED);
  CHECK(room.Names() == std::vector<std::string>{"orders"});
  CHECK(room.engine->Stats().last_group.value() == groups);
}

TEST_CASE("tenants do not see each other's topics", "[topics]") {
  TopicsRoom room;
  room.Make("orders");
  const Caller other{"bob", "other", "test", absl::InfiniteDuration()};
  v1::GetTopicRequest get;
  get.set_name("orders");
  CHECK(ReasonOf(room.topics->Get(other, get).status()) == v1::TOPIC_NOT_FOUND);
  REQUIRE_OK(room.topics->Create(other, TopicsRoom::Named("orders")));
  CHECK(room.Names() == std::vector<std::string>{"orders"});
  get.set_tenant("default");
  CHECK(ReasonOf(room.topics->Get(other, get).status()) == v1::TENANT_NOT_FOUND);
  CHECK(room.topics->Find("other", "orders")->id != room.topics->Find("default", "orders")->id);
}

TEST_CASE("every method refuses a foreign tenant", "[topics]") {
  TopicsRoom room;
  room.Make("orders");
  const auto refuses = [&room](auto request, auto call) {
    request.set_tenant("other");
    return ReasonOf(call(*room.topics, request).status()) == v1::TENANT_NOT_FOUND;
  };
  const Caller& caller = room.caller;
  CHECK(refuses(v1::CreateTopicRequest(),
                [&](auto& topics, auto& request) { return topics.Create(caller, request); }));
  CHECK(refuses(v1::GetTopicRequest(),
                [&](auto& topics, auto& request) { return topics.Get(caller, request); }));
  CHECK(refuses(v1::ListTopicsRequest(),
                [&](auto& topics, auto& request) { return topics.List(caller, request); }));
  CHECK(refuses(v1::UpdateTopicRequest(),
                [&](auto& topics, auto& request) { return topics.Update(caller, request); }));
  CHECK(refuses(v1::DeleteTopicRequest(),
                [&](auto& topics, auto& request) { return topics.Delete(caller, request); }));
  CHECK(refuses(v1::ListPartitionsRequest(), [&](auto& topics, auto& request) {
    return topics.ListPartitions(caller, request);
  }));
  CHECK(refuses(v1::FindOffsetsRequest(),
                [&](auto& topics, auto& request) { return topics.FindOffsets(caller, request); }));
}

TEST_CASE("the partitions of all topics are limited", "[topics]") {
  TopicLimits limits;
  limits.max_partitions = 10;
  TopicsRoom room(limits);
  room.Make("a", 6);
  const auto above = room.topics->Create(room.caller, TopicsRoom::Named("b", 5));
  CHECK(ReasonOf(above.status()) == v1::LIMIT_EXCEEDED);
  CHECK(DetailsOf(above.status()).at("limit") == "limits.partitions");
  CHECK(DetailsOf(above.status()).at("value") == "11");
  room.Make("b", 4);
  CHECK(ReasonOf(room.Grow("b", 5, true)) == v1::LIMIT_EXCEEDED);
  REQUIRE_OK(room.Delete("a"));
  CHECK_OK(room.Grow("b", 10, true));
  // At the limit other changes go on.
  v1::UpdateTopicRequest change = TopicsRoom::Change("b", {"retention_bytes"});
  change.mutable_topic()->set_retention_bytes(5);
  CHECK_OK(room.topics->Update(room.caller, change));
}

TEST_CASE("an update changes the fields of its mask and nothing else", "[topics]") {
  TopicsRoom room;
  room.Make("orders");
  room.engine->Advance(absl::Hours(1));
  v1::UpdateTopicRequest change =
      TopicsRoom::Change("orders", {"retention", "retention_bytes", "ack_level", "dedupe",
                                    "dedupe_window", "max_event_bytes", "labels"});
  v1::Topic* topic = change.mutable_topic();
  topic->mutable_retention()->set_seconds(60);
  topic->set_retention_bytes(1000);
  topic->set_ack_level(v1::ACK_LEVEL_OS);
  topic->set_dedupe(v1::DEDUPE_MODE_OFF);
  topic->mutable_dedupe_window()->set_seconds(30);
  topic->set_max_event_bytes(2000);
  (*topic->mutable_labels())["team"] = "sales";
  topic->set_partitions(200);
  const auto updated = room.topics->Update(room.caller, change);
  REQUIRE_OK(updated);
  CHECK(updated->topic().partitions() == 4);
  CHECK(updated->topic().retention().seconds() == 60);
  CHECK(updated->topic().labels().at("team") == "sales");
  CHECK(updated->topic().update_time().seconds() ==
        updated->topic().create_time().seconds() + 3600);
  const TopicPtr after = room.topics->Find("default", "orders");
  CHECK(after->proto.max_event_bytes() == 2000);
  CHECK(after->proto.ack_level() == v1::ACK_LEVEL_OS);
  CHECK(after->settings.dedupe == Dedupe::kOff);
  CHECK(after->settings.retention_bytes == 1000);
  CHECK(room.engine->Extent(after->partition(0))->effective_dedupe_window == absl::Seconds(30));
}

TEST_CASE("an update of the wrong field is refused with what can be changed", "[topics]") {
  TopicsRoom room;
  room.Make("orders");
  for (const char* path : {"name", "visible_at", "partitioner", "create_time", "nonsense", "*",
                           "retention.seconds", ""}) {
    const auto status =
        room.topics->Update(room.caller, TopicsRoom::Change("orders", {path})).status();
    INFO(path);
    CHECK(ReasonOf(status) == v1::INVALID_ARGUMENT);
    CHECK_THAT(std::string(status.message()), Catch::Contains("retention_bytes"));
  }
  const auto empty = room.topics->Update(room.caller, TopicsRoom::Change("orders", {})).status();
  CHECK(ReasonOf(empty) == v1::INVALID_ARGUMENT);
  CHECK(DetailsOf(empty).at("field") == "update_mask");
}

TEST_CASE("an update that names a field twice is refused", "[topics]") {
  TopicsRoom room;
  room.Make("orders");
  v1::UpdateTopicRequest request =
      TopicsRoom::Change("orders", {"labels", "retention_bytes", "labels"});
  (*request.mutable_topic()->mutable_labels())["team"] = "shop";
  const auto twice = room.topics->Update(room.caller, request).status();
  CHECK(ReasonOf(twice) == v1::INVALID_ARGUMENT);
  CHECK(DetailsOf(twice).at("field") == "update_mask");
  CHECK_THAT(std::string(twice.message()), Catch::Contains("'labels' twice"));
  request.mutable_update_mask()->mutable_paths()->RemoveLast();
  CHECK_OK(room.topics->Update(room.caller, request).status());
}

TEST_CASE("an update keeps to the ranges of a creation", "[topics]") {
  TopicsRoom room;
  room.Make("orders");
  const auto refusal = [&room](const std::string& path, auto change) {
    v1::UpdateTopicRequest request = TopicsRoom::Change("orders", {path});
    change(request.mutable_topic());
    return ReasonOf(room.topics->Update(room.caller, request).status());
  };
  // What means the default at creation is no value afterwards.
  CHECK(refusal("retention", [](v1::Topic*) {}) == v1::INVALID_ARGUMENT);
  CHECK(refusal("partitions", [](v1::Topic*) {}) == v1::INVALID_ARGUMENT);
  CHECK(refusal("max_event_bytes", [](v1::Topic*) {}) == v1::INVALID_ARGUMENT);
  CHECK(refusal("dedupe_window", [](v1::Topic*) {}) == v1::INVALID_ARGUMENT);
  CHECK(refusal("retention_bytes", [](v1::Topic* t) { t->set_retention_bytes(-1); }) ==
        v1::INVALID_ARGUMENT);
  CHECK(refusal("max_event_bytes", [](v1::Topic* t) { t->set_max_event_bytes(17 << 20); }) ==
        v1::LIMIT_EXCEEDED);
  CHECK(refusal("dedupe", [](v1::Topic* t) { t->set_dedupe(v1::DedupeMode(9)); }) ==
        v1::UNKNOWN_ENUM_VALUE);
  CHECK(refusal("ack_level", [](v1::Topic* t) { t->set_ack_level(v1::AckLevel(9)); }) ==
        v1::UNKNOWN_ENUM_VALUE);
  CHECK(refusal("partitions", [](v1::Topic* t) { t->set_partitions(257); }) == v1::LIMIT_EXCEEDED);
}

TEST_CASE("partitions only grow, and a keyed topic only with reordering accepted", "[topics]") {
  TopicsRoom room;
  room.Make("orders", 4);
  CHECK(ReasonOf(room.Grow("orders", 3, true)) == v1::INVALID_ARGUMENT);
  CHECK(ReasonOf(room.Grow("orders", 5, false)) == v1::REORDER_NOT_ACCEPTED);
  CHECK_OK(room.Grow("orders", 4, false));
  CHECK(room.topics->Find("default", "orders")->partitions() == 4);
  CHECK_OK(room.Grow("orders", 6, true));
  const TopicPtr grown = room.topics->Find("default", "orders");
  CHECK(grown->partitions() == 6);
  CHECK_OK(room.engine->Extent(grown->partition(5)));
  CHECK(room.topics->partition_count() == 6);

  v1::CreateTopicRequest request = TopicsRoom::Named("explicit", 1);
  request.mutable_topic()->set_partitioner(v1::PARTITIONER_EXPLICIT);
  REQUIRE_OK(room.topics->Create(room.caller, request));
  CHECK_OK(room.Grow("explicit", 2, false));
}

TEST_CASE("a lowered limit does not stop other changes of a larger topic", "[topics]") {
  MemoryLogEngine engine;
  const Caller caller;
  {
    TopicRegistry topics(engine, TopicLimits());
    REQUIRE_OK(topics.Create(caller, TopicsRoom::Named("orders", 20)));
  }
  TopicLimits lower;
  lower.max_partitions_per_topic = 10;
  lower.max_partitions = 10;
  TopicRegistry topics(engine, lower);
  REQUIRE_OK(topics.Load());
  v1::UpdateTopicRequest change = TopicsRoom::Change("orders", {"retention_bytes"});
  CHECK_OK(topics.Update(caller, change));
  change = TopicsRoom::Change("orders", {"partitions"});
  change.mutable_topic()->set_partitions(21);
  change.set_accept_reorder(true);
  CHECK(ReasonOf(topics.Update(caller, change).status()) == v1::LIMIT_EXCEEDED);
}

TEST_CASE("a topic that is not there is named by every method", "[topics]") {
  TopicsRoom room;
  v1::GetTopicRequest get;
  get.set_name("nowhere");
  const auto status = room.topics->Get(room.caller, get).status();
  CHECK(ReasonOf(status) == v1::TOPIC_NOT_FOUND);
  CHECK(DetailsOf(status).at("topic") == "nowhere");
  CHECK(ReasonOf(room.Delete("nowhere")) == v1::TOPIC_NOT_FOUND);
  CHECK(ReasonOf(room.Grow("nowhere", 5, true)) == v1::TOPIC_NOT_FOUND);
  CHECK(ReasonOf(room.topics->Get("default", "\xff").status()) == v1::TOPIC_NOT_FOUND);
  v1::ListPartitionsRequest partitions;
  partitions.set_topic("nowhere");
  CHECK(ReasonOf(room.topics->ListPartitions(room.caller, partitions).status()) ==
        v1::TOPIC_NOT_FOUND);
  v1::FindOffsetsRequest offsets;
  offsets.set_topic("nowhere");
  CHECK(ReasonOf(room.topics->FindOffsets(room.caller, offsets).status()) == v1::TOPIC_NOT_FOUND);
}

TEST_CASE("a deletion is asked for and told, a growth is told", "[topics]") {
  TopicsRoom room;
  room.Make("orders", 2);
  std::vector<std::string> told;
  room.topics->SetDeleteCheck([](const Topic& topic, bool force) {
    return force ? absl::OkStatus() : Error(v1::TOPIC_IN_USE, topic.name());
  });
  room.topics->SetChangeListener([&told](const Topic& topic, bool deleted) {
    told.push_back(absl::StrCat(topic.name(), " ", topic.partitions(), deleted ? " gone" : ""));
  });
  CHECK_OK(room.Grow("orders", 3, true));
  CHECK(ReasonOf(room.Delete("orders")) == v1::TOPIC_IN_USE);
  CHECK(room.topics->Find("default", "orders") != nullptr);
  const PartitionId partition = room.topics->Find("default", "orders")->partition(0);
  CHECK_OK(room.Delete("orders", true));
  CHECK(room.topics->Find("default", "orders") == nullptr);
  CHECK_FALSE(room.engine->Extent(partition).ok());
  CHECK(room.topics->partition_count() == 0);
  CHECK(told == std::vector<std::string>{"orders 3", "orders 3 gone"});
}

}  // namespace
}  // namespace acta
