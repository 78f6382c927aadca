#include "tests/unit/subscribe/subscribe_room.h"

namespace acta {
namespace {

using Start = v1::SubscribeStart;

Start WithCredit(int64_t events, int64_t bytes) {
  Start start = SubscribeRoom::Earliest();
  start.mutable_credit()->set_events(events);
  start.mutable_credit()->set_bytes(bytes);
  return start;
}

TEST_CASE("no more events are sent than there is credit for", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(2);
  room.PublishNumbers(0, 20, 7);
  room.PublishNumbers(1, 20, 7);
  Client& client = room.Subscribe(WithCredit(5, 0));
  CHECK(client.sink.events == 5);
  client.Credit(1, 0);
  room.Run();
  CHECK(client.sink.events == 6);
  client.Credit(1000, 0);
  room.Run();
  CHECK(client.sink.Data(0) == room.Numbers(0, 20));
  CHECK(client.sink.Data(1) == room.Numbers(0, 20));
}

TEST_CASE("a batch sent one event at a time is whole in the end", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 30, 30);
  Client& client = room.Subscribe(WithCredit(1, 0));
  for (int i = 1; i < 30; ++i) {
    CHECK(client.sink.events == i);
    client.Credit(1, 0);
    room.Run();
  }
  CHECK(client.sink.Data(0) == room.Numbers(0, 30));
}

TEST_CASE("no more bytes are sent than there is credit for", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 10, 10);
  const auto size = static_cast<int64_t>(Element("0").size());
  Client& client = room.Subscribe(WithCredit(0, 3 * size));
  CHECK(client.sink.events == 3);
  client.Credit(0, 2 * size);
  room.Run();
  CHECK(client.sink.events == 5);
}

TEST_CASE("an event above the bytes left is sent and owed", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 10, 10);
  const auto size = static_cast<int64_t>(Element("0").size());
  Client& client = room.Subscribe(WithCredit(0, size + 1));
  // The second took all but one byte too much.
  CHECK(client.sink.events == 2);
  client.Credit(0, size - 1);
  room.Run();
  CHECK(client.sink.events == 2);
  client.Credit(0, 1);
  room.Run();
  CHECK(client.sink.events == 3);
}

TEST_CASE("without credit of its own a stream has the default", "[subscribe]") {
  SubscribeLimits limits;
  limits.default_credit_events = 12;
  SubscribeRoom room(limits);
  room.MakeTopic(1);
  room.PublishNumbers(0, 20, 4);
  Client& client = room.Subscribe(room.Earliest());
  CHECK(client.sink.events == 12);
}

TEST_CASE("credit that cannot be is refused and nothing of it counts", "[subscribe]") {
  SubscribeLimits limits;
  limits.max_credit_events = 10;
  limits.default_credit_events = 5;
  SubscribeRoom room(limits);
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Earliest());
  const uint64_t negative = client.Credit(-1, 0);
  const uint64_t negative_bytes = client.Credit(1, -1);
  const uint64_t much = client.Credit(6, 0);
  const uint64_t most = client.Credit(5, 0);
  room.PublishNumbers(0, 20);
  room.Run();
  CHECK(client.sink.ErrorOf(negative) == v1::INVALID_ARGUMENT);
  CHECK(client.sink.ErrorOf(negative_bytes) == v1::INVALID_ARGUMENT);
  CHECK(client.sink.ErrorOf(much) == v1::LIMIT_EXCEEDED);
  CHECK(client.sink.errors().at(much).details().at("limit") == "limits.max_credit_events");
  CHECK(client.sink.ErrorOf(most) == v1::ERROR_REASON_UNSPECIFIED);
  CHECK(client.sink.events == 10);
}

TEST_CASE("credit of bytes has a limit of its own", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Earliest());
  constexpr int64_t kLeft = (int64_t{1} << 30) - (16 << 20);
  const uint64_t much = client.Credit(0, kLeft + 1);
  const uint64_t most = client.Credit(0, kLeft);
  room.Run();
  CHECK(client.sink.ErrorOf(much) == v1::LIMIT_EXCEEDED);
  CHECK(client.sink.errors().at(much).details().at("limit") == "limits.max_credit");
  CHECK(client.sink.ErrorOf(most) == v1::ERROR_REASON_UNSPECIFIED);
  CHECK_FALSE(client.sink.result.has_value());
}

TEST_CASE("frames keep to the size the broker aims at", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(2);
  const bool cached = GENERATE(true, false);
  room.engine.SetCachedReads(cached);
  Strings events(300, std::string(10'000, 'x'));
  room.Publish(0, events);  // 3 MB in one batch.
  for (int i = 0; i < 100; ++i) room.Publish(1, {std::string(30'000, 'y')});
  Client& client = room.Subscribe(room.Earliest());
  CHECK(client.sink.events == 400);
  CHECK(client.sink.frames.size() <= 12);
  for (const OutgoingFrame& frame : client.sink.frames) CHECK(WireBytes(frame) <= 1 << 20);
}

TEST_CASE("a client with small frames gets small frames", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(200);
  room.PublishNumbers(0, 1000, 1000);
  room.Publish(1, Strings(20, std::string(20'000, 'x')));
  Start start = room.Earliest();
  start.mutable_credit()->set_events(100'000);
  start.set_max_frame_bytes(64 << 10);
  Client& client = room.Subscribe(start);
  CHECK(client.sink.by_handle.size() == 200);
  CHECK(client.sink.events == 1020);
  for (const OutgoingFrame& frame : client.sink.frames) CHECK(WireBytes(frame) <= 64 << 10);
}

TEST_CASE("control that does not fit goes in several frames, before the events", "[subscribe]") {
  SubscribeRoom room;
  const std::string name(249, 'n');
  room.MakeTopic(256, name);
  room.Publish(255, {"a"}, name);
  Start start = room.Earliest(name);
  start.set_max_frame_bytes(64 << 10);
  Client& client = room.Subscribe(start);
  CHECK(client.sink.by_handle.size() == 256);
  CHECK(client.sink.Data(255, name) == Strings{"a"});
  CHECK(client.sink.frames.size() > 1);
  for (const OutgoingFrame& frame : client.sink.frames) CHECK(WireBytes(frame) <= 64 << 10);
}

TEST_CASE("one event above the target goes alone, up to what the client takes", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.Publish(0, {"before", std::string(2 << 20, 'x'), "after"});
  Client& client = room.Subscribe(room.Earliest());
  CHECK(client.sink.events == 3);
  bool found = false;
  for (const OutgoingFrame& frame : client.sink.frames) {
    if (WireBytes(frame) <= 1 << 20) continue;
    found = true;
    CHECK(frame.batches.size() == 1);
    CHECK(frame.batches[0].count == 1);
    CHECK(WireBytes(frame) <= 4 << 20);
  }
  CHECK(found);
}

TEST_CASE("an event the client cannot take stops its partition and is named", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(2);
  // What fits exactly: the frame's own bytes and those of the batch are counted in.
  const size_t max = 64 << 10;
  const size_t fits = max - 11 - 64 - 3 - (Element(std::string(60'000, 'x')).size() - 60'000);
  room.Publish(0, {std::string(fits, 'x'), "second", std::string(fits + 1, 'x'), "last"});
  room.Publish(1, {"other"});
  Start start = room.Earliest();
  start.set_max_frame_bytes(static_cast<int32_t>(max));
  Client& client = room.Subscribe(start);
  for (const OutgoingFrame& frame : client.sink.frames) CHECK(WireBytes(frame) <= max);
  CHECK(client.sink.Data(0).size() == 2);
  CHECK(client.sink.Data(1) == Strings{"other"});
  REQUIRE(client.sink.gaps().size() == 1);
  const v1::Gap gap = client.sink.gaps()[0];
  CHECK(gap.assignment() == client.sink.Handle(0));
  CHECK(gap.first_lost() == 2);
  CHECK(gap.last_lost() == 2);
  CHECK(gap.status().reason() == v1::EVENT_TOO_LARGE_FOR_CLIENT);
  CHECK(gap.status().details().at("max_frame_bytes") == "65536");
  // Raising it to the size named is enough.
  Start again = room.From(2);
  again.mutable_topics(0)->set_only_listed(true);
  again.mutable_topics(0)->add_partitions()->set_offset(2);
  again.set_max_frame_bytes(std::stoi(gap.status().details().at("frame_bytes")));
  CHECK(room.Subscribe(again).sink.Data(0).size() == 2);
}

}  // namespace
}  // namespace acta
