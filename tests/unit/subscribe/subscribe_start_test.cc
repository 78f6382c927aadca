#include <functional>
#include <limits>

#include "tests/unit/subscribe/subscribe_room.h"

namespace acta {
namespace {

using Start = v1::SubscribeStart;

TEST_CASE("a start frame without a group assigns every partition and is settled", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(2);
  room.Publish(1, {"a", "b"});
  Client& client = room.Subscribe(room.Earliest());
  CHECK(client.sink.acked_through() == 1);
  REQUIRE(client.sink.by_handle.size() == 2);
  const v1::Assigned& assigned = client.sink.by_handle[client.sink.Handle(1)];
  CHECK(assigned.topic() == "orders");
  CHECK(assigned.offset() == 0);
  CHECK(assigned.incarnation() == 1);
  CHECK(client.sink.Data(0).empty());
  CHECK(client.sink.Data(1) == Strings{"a", "b"});
  CHECK(room.hub->subscription_count() == 1);
  CHECK(room.hub->events_delivered() == 2);
  CHECK(room.hub->bytes_delivered() == client.sink.bytes);
}

TEST_CASE("Open calls nobody before the first frame", "[subscribe]") {
  SubscribeRoom room;
  Client& client = room.Connect();
  room.Run();
  CHECK(client.sink.frames.empty());
  CHECK_FALSE(client.sink.result.has_value());
}

TEST_CASE("what a start frame must not say ends the stream with its reason", "[subscribe]") {
  struct Case {
    const char* what;
    v1::ErrorReason reason;
    std::function<void(Start*)> change;
  };
  const Case cases[] = {
      {"no topic", v1::INVALID_ARGUMENT, [](Start* s) { s->clear_topics(); }},
      {"an unknown topic", v1::TOPIC_NOT_FOUND,
       [](Start* s) { s->mutable_topics(0)->set_topic("nothing"); }},
      {"a bad topic name", v1::INVALID_NAME,
       [](Start* s) { s->mutable_topics(0)->set_topic("no spaces"); }},
      {"a topic twice", v1::INVALID_ARGUMENT, [](Start* s) { *s->add_topics() = s->topics(0); }},
      {"another tenant", v1::TENANT_NOT_FOUND, [](Start* s) { s->set_tenant("else"); }},
      {"too small frames", v1::INVALID_ARGUMENT, [](Start* s) { s->set_max_frame_bytes(65535); }},
      {"too large frames", v1::INVALID_ARGUMENT,
       [](Start* s) { s->set_max_frame_bytes((17 << 20) + 1); }},
      {"negative credit", v1::INVALID_ARGUMENT,
       [](Start* s) { s->mutable_credit()->set_events(-1); }},
      {"too much credit", v1::LIMIT_EXCEEDED,
       [](Start* s) { s->mutable_credit()->set_bytes((int64_t{1} << 30) + 1); }},
      {"a long app name", v1::INVALID_ARGUMENT,
       [](Start* s) { s->set_app(std::string(257, 'a')); }},
      {"an offset below 0", v1::OFFSET_OUT_OF_RANGE,
       [](Start* s) { s->mutable_topics(0)->mutable_from()->set_offset(-1); }},
      {"an offset above the end", v1::OFFSET_OUT_OF_RANGE,
       [](Start* s) { s->mutable_topics(0)->mutable_from()->set_offset(3); }},
      {"a partition that is not", v1::PARTITION_NOT_FOUND,
       [](Start* s) { s->mutable_topics(0)->add_partitions()->set_partition(1); }},
      {"a partition twice", v1::INVALID_ARGUMENT,
       [](Start* s) {
         s->mutable_topics(0)->add_partitions();
         s->mutable_topics(0)->add_partitions();
       }},
      {"a listed offset above the end", v1::OFFSET_OUT_OF_RANGE,
       [](Start* s) { s->mutable_topics(0)->add_partitions()->set_offset(3); }},
      {"a wild incarnation", v1::INVALID_ARGUMENT,
       [](Start* s) { s->mutable_topics(0)->add_partitions()->set_incarnation(-1); }},
      {"only listed, and none", v1::INVALID_ARGUMENT,
       [](Start* s) { s->mutable_topics(0)->set_only_listed(true); }},
      {"a missing group", v1::GROUP_NOT_FOUND,
       [](Start* s) {
         s->set_group("g");
         s->clear_topics();
       }},
      {"a bad group name", v1::INVALID_NAME, [](Start* s) { s->set_group("no spaces"); }},
      {"an unknown mode", v1::UNKNOWN_ENUM_VALUE,
       [](Start* s) {
         *s = SubscribeRoom::Member("g");
         s->set_mode(static_cast<v1::GroupMode>(99));
       }},
      {"a position for a group", v1::INVALID_ARGUMENT,
       [](Start* s) {
         *s = SubscribeRoom::Member("g");
         s->mutable_topics(0)->set_until_end(true);
       }},
      {"a bad member id", v1::INVALID_NAME,
       [](Start* s) { *s = SubscribeRoom::Member("g", "no spaces"); }},
      {"a group on an unknown topic", v1::TOPIC_NOT_FOUND,
       [](Start* s) {
         *s = SubscribeRoom::Member("g");
         s->mutable_topics(0)->set_topic("nothing");
       }},
  };
  for (const Case& one : cases) {
    INFO(one.what);
    SubscribeRoom room;
    room.MakeTopic(1);
    room.Publish(0, {"a", "b"});
    Start start = room.Earliest();
    one.change(&start);
    Client& client = room.Subscribe(start);
    CHECK(client.sink.EndReason() == one.reason);
    CHECK(client.sink.frames.empty());
    CHECK(room.hub->subscription_count() == 0);
  }
}

TEST_CASE("the limits of a start frame are inside", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.Publish(0, {"a", "b"});
  for (const int32_t bytes : {65536, 17 << 20}) {
    Start start = room.From(2);
    start.set_max_frame_bytes(bytes);
    start.mutable_credit()->set_events(10'000'000);
    start.mutable_credit()->set_bytes(int64_t{1} << 30);
    start.set_app(std::string(256, 'a'));
    start.set_tenant("default");
    Client& client = room.Subscribe(start);
    CHECK_FALSE(client.sink.result.has_value());
    CHECK(client.sink.acked_through() == 1);
  }
}

TEST_CASE("the authorizer is asked before anything is looked up", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  SECTION("for every topic") {
    room.authorizer.refused = "nothing";
    Start start = room.Earliest();
    start.add_topics()->set_topic("nothing");
    Client& client = room.Subscribe(start);
    CHECK(client.sink.EndReason() == v1::PERMISSION_DENIED);
    CHECK(room.authorizer.asked == Strings{"subscribe topic orders", "subscribe topic nothing"});
  }
  SECTION("for the group") {
    room.authorizer.refused = "g";
    Client& client = room.Subscribe(room.Member("g"));
    CHECK(client.sink.EndReason() == v1::PERMISSION_DENIED);
    CHECK(room.authorizer.asked == Strings{"subscribe group g"});
    CHECK(room.groups.group_count() == 0);
  }
  SECTION("for the topics the group turns out to read") {
    room.Subscribe(room.Member("g"));
    room.authorizer.refused = "orders";
    Start start;
    start.set_group("g");
    Client& client = room.Subscribe(start);
    // Partition 0 is the other's; it gets it when that one goes.
    room.clients[0]->stream->OnDisconnect();
    room.Run();
    CHECK(client.sink.EndReason() == v1::PERMISSION_DENIED);
    CHECK(client.sink.by_handle.empty());
  }
}

TEST_CASE("the first frame must start the stream", "[subscribe]") {
  SubscribeRoom room;
  Client& client = room.Connect();
  client.Tick();
  CHECK(client.sink.EndReason() == v1::STREAM_NOT_OPENED);
}

TEST_CASE("a stream that is not started in time is ended", "[subscribe]") {
  SubscribeRoom room;
  Client& client = room.Connect();
  room.Advance(absl::Seconds(14));
  CHECK_FALSE(client.sink.result.has_value());
  room.Advance(absl::Seconds(1));
  CHECK(client.sink.EndReason() == v1::STREAM_NOT_OPENED);
}

TEST_CASE("bytes that are no control frame end the stream", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  SECTION("malformed") {
    Client& client = room.Subscribe(room.Earliest());
    client.stream->OnControl("\xff\xff\xff");
    room.Run();
    CHECK(client.sink.EndReason() == v1::MALFORMED_MESSAGE);
  }
  SECTION("text that is not UTF-8") {
    Client& client = room.Connect();
    client.stream->OnControl("\x12\x03\x0a\x01\xff");
    CHECK(client.sink.EndReason() == v1::MALFORMED_MESSAGE);
  }
  SECTION("as many as fit") {
    Client& client = room.Connect();
    client.stream->OnControl(std::string(256 << 10, '\0'));
    CHECK(client.sink.EndReason() == v1::MALFORMED_MESSAGE);  // They were looked at.
  }
  SECTION("too many") {
    Client& client = room.Connect();
    client.stream->OnControl(std::string((256 << 10) + 1, '\0'));
    REQUIRE(client.sink.EndReason() == v1::FRAME_TOO_LARGE);
    CHECK(DetailsOf(*client.sink.result).at("limit") == "limits.control_frame");
  }
}

// A client that reads as many partitions as there may be names them all when it comes again.
TEST_CASE("a start frame has room for a position of each partition there may be", "[subscribe]") {
  SubscribeRoom room;
  Start start = room.Earliest("nothing");
  for (int32_t partition = 0; partition < TopicLimits().max_partitions; ++partition) {
    v1::PartitionPosition& position = *start.mutable_topics(0)->add_partitions();
    position.set_partition(partition);
    position.set_offset(std::numeric_limits<int64_t>::max());
    position.set_incarnation(std::numeric_limits<uint32_t>::max());
  }
  Client& client = room.Subscribe(start);
  CHECK(client.sink.EndReason() == v1::TOPIC_NOT_FOUND);  // It was looked at.
}

TEST_CASE("frame ids rise strictly, and a frame that does not rise is named", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Earliest());
  client.last_id = 9;
  CHECK(client.Tick() == 10);
  client.last_id = 9;
  client.Credit(0, -1);
  room.Run();
  // What it asked for was not looked at.
  CHECK(client.sink.ErrorOf(10) == v1::FRAME_ID_NOT_RISING);
  client.Tick();
  room.Run();
  CHECK(client.sink.errors().size() == 1);
  CHECK_FALSE(client.sink.result.has_value());
}

TEST_CASE("a stream may number its first frame 0", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Connect();
  v1::SubscribeControl control;
  *control.mutable_start() = room.Earliest();
  client.stream->OnControl(control.SerializeAsString());
  room.Run();
  CHECK(client.sink.by_handle.size() == 1);
  client.stream->OnControl(control.SerializeAsString());
  room.Run();
  CHECK(client.sink.ErrorOf(0) == v1::FRAME_ID_NOT_RISING);
}

TEST_CASE("frames that cannot be served are named and the stream goes on", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Earliest());
  const uint64_t again = client.Start(room.Earliest());
  const uint64_t empty = client.Send(v1::SubscribeControl());
  const uint64_t commit = client.Commit(1, 0);
  const uint64_t released = client.Released(1);
  room.Run();
  CHECK(client.sink.ErrorOf(again) == v1::WRONG_STREAM_STATE);
  CHECK(client.sink.ErrorOf(empty) == v1::UNSUPPORTED_FEATURE);
  CHECK(client.sink.ErrorOf(commit) == v1::WRONG_STREAM_STATE);
  CHECK(client.sink.ErrorOf(released) == v1::WRONG_STREAM_STATE);
  CHECK(client.sink.acked_through() == released);
  room.Publish(0, {"a"});
  room.Run();
  CHECK(client.sink.Data(0) == Strings{"a"});
}

TEST_CASE("a feature nobody knows is refused by name and the stream starts", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Start start = room.Earliest();
  start.add_wanted_features("telepathy");
  Client& client = room.Subscribe(start);
  REQUIRE(client.sink.ErrorOf(1) == v1::UNSUPPORTED_FEATURE);
  CHECK(client.sink.errors()[1].details().at("feature") == "telepathy");
  CHECK(client.sink.by_handle.size() == 1);
  CHECK(client.sink.acked_through() == 1);
}

TEST_CASE("a start wants 64 features at most", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Start start = room.Earliest();
  for (int i = 0; i < 64; ++i) start.add_wanted_features("telepathy");
  Client& most = room.Subscribe(start);
  CHECK(most.sink.ErrorOf(1) == v1::UNSUPPORTED_FEATURE);
  CHECK(most.sink.acked_through() == 1);
  start.add_wanted_features("telepathy");
  Client& more = room.Subscribe(start);
  REQUIRE(more.sink.EndReason() == v1::LIMIT_EXCEEDED);
  CHECK(DetailsOf(*more.sink.result).at("limit") == "max_wanted_features");
  CHECK(more.sink.frames.empty());
}

TEST_CASE("ticks and credit get no frame of their own", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Earliest());
  const size_t before = client.sink.frames.size();
  client.Tick();
  client.Credit(5, 5);
  room.Run();
  CHECK(client.sink.frames.size() == before);
  room.Publish(0, {"a"});
  room.Run();
  CHECK(client.sink.acked_through() == 3);
}

TEST_CASE("a stream starts where it says", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(2);
  room.Publish(0, {"a", "b"});
  room.engine.Advance(absl::Seconds(10));
  const int64_t then = absl::ToUnixMicros(room.engine.Now());
  room.Publish(0, {"c"});
  Start start;
  v1::TopicPosition* topic = start.add_topics();
  topic->set_topic("orders");
  Strings expected;
  SECTION("latest, when nothing is said") {}
  SECTION("latest") { topic->mutable_from()->set_latest(true); }
  SECTION("earliest") {
    topic->mutable_from()->set_earliest(true);
    expected = {"a", "b", "c"};
  }
  SECTION("a time") {
    topic->mutable_from()->set_time_us(then);
    expected = {"c"};
  }
  SECTION("a time to come") { topic->mutable_from()->set_time_us(then + 1'000'000'000); }
  SECTION("an offset of its own, in the middle of a batch") {
    topic->mutable_from()->set_earliest(true);
    v1::PartitionPosition* position = topic->add_partitions();
    position->set_offset(1);
    position->set_incarnation(1);
    expected = {"b", "c"};
  }
  Client& client = room.Subscribe(start);
  CHECK(client.sink.by_handle.size() == 2);
  CHECK(client.sink.Data(0) == expected);
  room.Publish(0, {"new"});
  room.Publish(1, {"other"});
  room.Run();
  expected.push_back("new");
  CHECK(client.sink.Data(0) == expected);
  CHECK(client.sink.Data(1) == Strings{"other"});
}

TEST_CASE("only the partitions listed are read when it says so", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(3);
  for (int32_t partition = 0; partition < 3; ++partition) room.Publish(partition, {"a", "b"});
  Start start = room.Earliest();
  start.mutable_topics(0)->set_only_listed(true);
  v1::PartitionPosition* position = start.mutable_topics(0)->add_partitions();
  position->set_partition(2);
  position->set_offset(1);
  Client& client = room.Subscribe(start);
  CHECK(client.sink.by_handle.size() == 1);
  CHECK(client.sink.Data(2) == Strings{"b"});
}

}  // namespace
}  // namespace acta
