#include "tests/unit/subscribe/subscribe_room.h"

namespace acta {
namespace {

using Start = v1::SubscribeStart;

// About `kib` KiB.
std::string Large(int kib) { return std::string(static_cast<size_t>(kib) << 10, 'x'); }

TEST_CASE("a batch is delivered as it was stored", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.Publish(0, {"a", "b", "c"});
  Client& client = room.Subscribe(room.From(0));
  REQUIRE(client.sink.events == 3);
  const OutgoingBatch& batch = client.sink.frames.back().batches.at(0);
  CHECK(batch.payload.view() == Element("a") + Element("b") + Element("c"));
  CHECK(batch.context.view() == "who");
  CHECK(batch.incarnation == Incarnation(1));
  CHECK(batch.append_time_us == absl::ToUnixMicros(room.engine.Now()));
}

TEST_CASE("a reader in the middle of a batch gets exactly the rest", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 100, 100);
  Client& client = room.Subscribe(room.From(7));
  CHECK(client.sink.Data(0) == room.Numbers(7, 100));
}

TEST_CASE("nothing is sent while a frame is not written", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Earliest());
  client.reads = false;
  const size_t before = client.sink.frames.size();
  for (const char* data : {"a", "b", "c"}) {
    room.Publish(0, {data});
    room.Run();
  }
  CHECK(client.sink.frames.size() == before + 1);
  CHECK(client.sink.Data(0) == Strings{"a"});
  client.Written();
  // What came meanwhile goes in one frame.
  CHECK(client.sink.frames.size() == before + 2);
  CHECK(client.sink.Data(0) == Strings{"a", "b", "c"});
}

TEST_CASE("events follow as they become visible, not as they are written", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Earliest());
  room.engine.HoldDone();
  room.Publish(0, {"a"});
  room.Run();
  CHECK(client.sink.events == 0);
  room.engine.ReleaseDone();
  // The engine's thread sent nothing itself.
  CHECK(client.sink.events == 0);
  room.Run();
  CHECK(client.sink.Data(0) == Strings{"a"});
}

TEST_CASE("what is not in memory is read on the pool, the rest from memory", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(2);
  room.PublishNumbers(0, 50, 5);
  room.PublishNumbers(1, 50, 5);
  room.engine.SetCachedReads(false);
  Client& client = room.Connect();
  client.Start(room.Earliest());
  room.Run();
  CHECK(client.sink.Data(0) == room.Numbers(0, 50));
  CHECK(client.sink.Data(1) == room.Numbers(0, 50));
  const int64_t cold = room.engine.Stats().cold_reads;
  CHECK(cold >= 2);
  room.engine.SetCachedReads(true);
  room.Publish(0, {"50"});
  room.Run();
  CHECK(client.sink.Data(0) == room.Numbers(0, 51));
  CHECK(room.engine.Stats().cold_reads == cold);
}

TEST_CASE("a client that does not read makes the broker read little ahead", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(4);
  for (int32_t partition = 0; partition < 4; ++partition) {
    for (int i = 0; i < 16; ++i) room.Publish(partition, {Large(512)});
  }
  room.engine.SetCachedReads(false);
  Start start = room.Earliest();
  start.mutable_credit()->set_bytes(1 << 30);
  Client& client = room.Connect();
  client.reads = false;
  client.Start(start);
  room.Run();
  // 32 MiB are there; reads of 2 MiB.
  CHECK(room.engine.Stats().cold_reads <= 4);
  client.reads = true;
  room.Run();
  CHECK(client.sink.events == 64);
}

TEST_CASE("partitions take turns", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(4);
  for (int32_t partition = 0; partition < 4; ++partition) {
    for (int i = 0; i < 40; ++i) room.Publish(partition, {Large(100)});
  }
  const bool cached = GENERATE(true, false);
  room.engine.SetCachedReads(cached);
  Client& client = room.Connect();
  client.reads = false;
  client.Start(room.Earliest());
  // After every few frames each partition has got about as much as the others.
  for (int frame = 0; frame < 12; ++frame) {
    room.Run();
    client.Written();
  }
  room.Run();
  size_t least = 1000;
  size_t most = 0;
  for (int32_t partition = 0; partition < 4; ++partition) {
    const size_t got = client.sink.Data(partition).size();
    least = std::min(least, got);
    most = std::max(most, got);
  }
  CHECK(least > 5);
  CHECK(most - least <= (cached ? 6 : 24));
}

TEST_CASE("a wake touches only the partition that has news", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(200);
  Client& client = room.Subscribe(room.Earliest());
  REQUIRE(client.sink.by_handle.size() == 200);
  const int64_t before = room.engine.Stats().cache_reads;
  for (int i = 0; i < 10; ++i) {
    room.Publish(7, {std::to_string(i)});
    room.Run();
  }
  CHECK(client.sink.Data(7) == room.Numbers(0, 10));
  CHECK(room.engine.Stats().cache_reads - before <= 30);
}

TEST_CASE("a read to the end stops at the end it had at the start", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(3);
  room.PublishNumbers(0, 10, 4);
  room.PublishNumbers(1, 1);
  Start start = room.Earliest();
  start.mutable_topics(0)->set_until_end(true);
  Client& client = room.Connect();
  client.reads = false;
  client.Start(start);
  room.pool.RunAll();
  room.Publish(0, {"late"});
  client.reads = true;
  room.Run();
  CHECK(client.sink.Data(0) == room.Numbers(0, 10));
  CHECK(client.sink.Data(1) == room.Numbers(0, 1));
  const auto ends = client.sink.Notices("REACHED_END");
  REQUIRE(ends.size() == 3);
  std::set<uint64_t> handles;
  for (const v1::Notice& end : ends) handles.insert(end.assignment());
  CHECK(handles.size() == 3);
  // The client says when it has enough.
  CHECK_FALSE(client.sink.result.has_value());
}

TEST_CASE("the end in the middle of a batch is kept to", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 3, 3);
  room.engine.HoldDone();
  room.PublishNumbers(0, 3, 3);
  Start start = room.From(1);
  start.mutable_topics(0)->set_until_end(true);
  Client& client = room.Connect();
  client.Start(start);
  room.engine.ReleaseDone();
  room.Run();
  // The end is seen when the positions are looked up, after the release.
  CHECK(client.sink.events == 5);
  CHECK(client.sink.Notices("REACHED_END").size() == 1);
}

TEST_CASE("the end of a read does not wait for credit", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 5);
  Start start = room.Earliest();
  start.mutable_topics(0)->set_until_end(true);
  start.mutable_credit()->set_events(5);
  Client& client = room.Subscribe(start);
  CHECK(client.sink.events == 5);
  CHECK(client.sink.Notices("REACHED_END").size() == 1);
}

TEST_CASE("a read to a time stops before what was appended then", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.Publish(0, {"a"});
  room.engine.Advance(absl::Seconds(10));
  const int64_t then = absl::ToUnixMicros(room.engine.Now());
  Start start = room.Earliest();
  SECTION("in the past") {
    room.Publish(0, {"b"});
    start.mutable_topics(0)->set_until_time_us(then);
    Client& client = room.Subscribe(start);
    CHECK(client.sink.Data(0) == Strings{"a"});
    CHECK(client.sink.Notices("REACHED_END").size() == 1);
  }
  SECTION("in the past, with nothing after it") {
    start.mutable_topics(0)->set_until_time_us(then);
    Client& client = room.Subscribe(start);
    CHECK(client.sink.Data(0) == Strings{"a"});
    CHECK(client.sink.Notices("REACHED_END").size() == 1);
  }
  SECTION("to come, and something comes after it") {
    start.mutable_topics(0)->set_until_time_us(then + 5'000'000);
    Client& client = room.Subscribe(start);
    room.Publish(0, {"b"});
    room.Run();
    CHECK(client.sink.Data(0) == Strings{"a", "b"});
    CHECK(client.sink.Notices("REACHED_END").empty());
    room.engine.Advance(absl::Seconds(5));
    room.Publish(0, {"c"});
    room.Run();
    CHECK(client.sink.Data(0) == Strings{"a", "b"});
    CHECK(client.sink.Notices("REACHED_END").size() == 1);
  }
  SECTION("to come, and nothing comes") {
    start.mutable_topics(0)->set_until_time_us(then + 5'000'000);
    Client& client = room.Subscribe(start);
    room.Advance(absl::Seconds(4));
    CHECK(client.sink.Notices("REACHED_END").empty());
    room.Advance(absl::Seconds(1));
    CHECK(client.sink.Notices("REACHED_END").size() == 1);
  }
  SECTION("to come, and what was appended before is still being written then") {
    start.mutable_topics(0)->set_until_time_us(then + 5'000'000);
    Client& client = room.Subscribe(start);
    room.Advance(absl::Milliseconds(4'999));
    room.engine.BeginGroup();
    room.Advance(absl::Milliseconds(1));
    CHECK(client.sink.Notices("REACHED_END").empty());
    room.Publish(0, {"b"});
    room.engine.EndGroup();
    room.Advance(absl::Milliseconds(10));
    CHECK(client.sink.Data(0) == Strings{"a", "b"});
    CHECK(client.sink.Notices("REACHED_END").size() == 1);
  }
}

TEST_CASE("a topic that grows is read in its new partitions from their beginning", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& follows = room.Subscribe(room.Earliest());
  Start listed = room.Earliest();
  listed.mutable_topics(0)->set_only_listed(true);
  listed.mutable_topics(0)->add_partitions();
  Client& fixed = room.Subscribe(listed);
  room.GrowTopic(3);
  room.Publish(2, {"a"});
  room.Advance(absl::Seconds(20));
  CHECK(follows.sink.by_handle.size() == 3);
  CHECK(follows.sink.Data(2) == Strings{"a"});
  CHECK(fixed.sink.by_handle.size() == 1);
  room.Advance(absl::Seconds(20));
  CHECK(follows.sink.by_handle.size() == 3);
}

TEST_CASE("a topic is followed however late its reader started", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(2);
  Client& client = room.Connect();
  // The look at the stream that is due then finds a start whose positions are not known yet.
  room.timer.Advance(absl::Seconds(15));
  client.Start(room.Earliest());
  room.Run();
  REQUIRE(client.sink.by_handle.size() == 2);
  room.GrowTopic(3);
  room.Publish(2, {"a"});
  room.Advance(absl::Seconds(20));
  CHECK(client.sink.by_handle.size() == 3);
  CHECK(client.sink.Data(2) == Strings{"a"});
}

TEST_CASE("a deleted topic is taken from the stream, the last one ends it", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.MakeTopic(1, "other");
  Start start = room.Earliest();
  start.add_topics()->set_topic("other");
  Client& client = room.Subscribe(start);
  const uint64_t handle = client.sink.Handle(0);
  room.DeleteTopic();
  room.Run();
  REQUIRE(client.sink.frames.back().control.revoked_size() == 1);
  CHECK(client.sink.frames.back().control.revoked(0).assignment() == handle);
  CHECK_FALSE(client.sink.result.has_value());
  room.Publish(0, {"a"}, "other");
  room.Run();
  CHECK(client.sink.Data(0, "other") == Strings{"a"});
  room.DeleteTopic("other");
  room.Run();
  CHECK(client.sink.EndReason() == v1::TOPIC_NOT_FOUND);
}

TEST_CASE("an engine that stops reading ends the stream with its reason", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  class Refusing final : public MemoryLogEngine {
   public:
    absl::StatusOr<std::vector<BatchPtr>> Read(PartitionId, Offset, size_t) const override {
      return Error(v1::INTERNAL, "broken");
    }
  };
  // A hub of its own over an engine that cannot read.
  Refusing engine;
  TopicRegistry topics(engine, TopicLimits());
  REQUIRE_OK(topics.Load());
  v1::CreateTopicRequest request;
  request.mutable_topic()->set_name("orders");
  request.mutable_topic()->set_partitions(1);
  REQUIRE_OK(topics.Create(room.caller, request));
  Append append;
  append.partition = topics.Find("default", "orders")->partition(0);
  append.payload = SharedBytes(Element("a"));
  append.payload_crc32c = Crc32c(append.payload.view());
  append.count = 1;
  Transaction transaction;
  transaction.appends.push_back(std::move(append));
  REQUIRE_OK(engine.Submit(std::move(transaction)));
  engine.SetCachedReads(false);
  SubscriptionHub hub(
      {engine, room.clock, topics, room.groups, room.authorizer, room.pool, room.timer, {}});
  Client client(hub, room.caller);
  client.Start(room.Earliest());
  do {
    room.pool.RunAll();
  } while (client.Written());
  CHECK(client.sink.EndReason() == v1::INTERNAL);
}

}  // namespace
}  // namespace acta
