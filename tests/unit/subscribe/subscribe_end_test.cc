#include "tests/unit/subscribe/subscribe_room.h"

namespace acta {
namespace {

using Start = v1::SubscribeStart;

bool HasGoingAway(const v1::DeliveryFrame& frame) { return frame.has_going_away(); }

TEST_CASE("half-close settles what is outstanding, then ends with OK", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 10);
  Client& client = room.Subscribe(room.Member("g", "one"));
  room.engine.HoldDone();
  const uint64_t commit = client.Commit(client.sink.Handle(0), 4);
  client.stream->OnHalfClose();
  room.Run();
  CHECK_FALSE(client.sink.result.has_value());
  room.Publish(0, {"late"});
  room.engine.ReleaseDone();
  room.Run();
  CHECK(client.sink.acked_through() == commit);
  REQUIRE(client.sink.result.has_value());
  CHECK_OK(*client.sink.result);
  CHECK(client.sink.events == 10);
  // A clean leave: also the place of a named member is given up.
  CHECK(room.Members("g") == 0);
  CHECK(room.Lag("g", 0).committed_offset() == 4);
  CHECK(room.hub->subscription_count() == 0);
}

TEST_CASE("half-close while a member joins ends it after it joined", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.Publish(0, {"a"});
  Client& client = room.Connect();
  client.Start(room.Member("g"));
  client.stream->OnHalfClose();
  CHECK_FALSE(client.sink.result.has_value());
  room.Run();
  REQUIRE(client.sink.result.has_value());
  CHECK_OK(*client.sink.result);
  CHECK(client.sink.acked_through() == 1);
  CHECK(client.sink.events == 0);
  CHECK(room.Members("g") == 0);
}

TEST_CASE("half-close before any frame ends with OK", "[subscribe]") {
  SubscribeRoom room;
  Client& client = room.Connect();
  client.stream->OnHalfClose();
  REQUIRE(client.sink.result.has_value());
  CHECK_OK(*client.sink.result);
}

TEST_CASE("half-close waits for the frame that is being written", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Earliest());
  client.reads = false;
  room.Publish(0, {"a"});
  room.Run();
  client.stream->OnHalfClose();
  CHECK_FALSE(client.sink.result.has_value());
  client.Written();
  REQUIRE(client.sink.result.has_value());
  CHECK_OK(*client.sink.result);
}

TEST_CASE("a read with an end is answered in full after half-close", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(2);
  room.PublishNumbers(0, 100, 10);
  room.engine.SetCachedReads(GENERATE(true, false));
  Start start = room.Earliest();
  start.mutable_topics(0)->set_until_end(true);
  Client& client = room.Connect();
  SECTION("within the credit") {
    client.Start(start);
    client.stream->OnHalfClose();
    room.Run();
    CHECK(client.sink.Data(0) == room.Numbers(0, 100));
    CHECK(client.sink.Notices("REACHED_END").size() == 2);
  }
  SECTION("as far as the credit goes") {
    start.mutable_credit()->set_events(15);
    client.Start(start);
    client.stream->OnHalfClose();
    room.Run();
    CHECK(client.sink.events == 15);
  }
  REQUIRE(client.sink.result.has_value());
  CHECK_OK(*client.sink.result);
}

TEST_CASE("a read without an end stops at half-close", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 100);
  Start start = room.Earliest();
  start.mutable_credit()->set_events(10);
  Client& client = room.Subscribe(start);
  client.stream->OnHalfClose();
  room.Run();
  REQUIRE(client.sink.result.has_value());
  CHECK_OK(*client.sink.result);
  CHECK(client.sink.events == 10);
}

TEST_CASE("nothing is sent or finished after a disconnect", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Earliest());
  CHECK(room.timer.waiting() > 0);
  const size_t frames = client.sink.frames.size();
  client.stream->OnDisconnect();
  room.Publish(0, {"a"});
  client.Tick();
  client.stream->OnHalfClose();
  room.Run();
  CHECK(client.sink.frames.size() == frames);
  CHECK_FALSE(client.sink.result.has_value());
  CHECK(room.hub->subscription_count() == 0);
  CHECK(room.timer.waiting() == 0);
}

TEST_CASE("a stream that its owner drops leaves nothing behind", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Member("g"));
  std::weak_ptr<Subscription> weak = client.stream;
  client.stream->OnDisconnect();
  room.clients.clear();
  room.Run();
  CHECK(weak.expired());
  CHECK(room.Members("g") == 0);
  room.Publish(0, {"a"});
  room.Run();
}

TEST_CASE("a stop tells every stream, settles, and finishes", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(2);
  room.PublishNumbers(0, 10);
  Client& member = room.Subscribe(room.Member("g", "one"));
  Client& reader = room.Subscribe(room.Earliest());
  room.engine.HoldDone();
  const uint64_t commit = member.Commit(member.sink.Handle(0), 4);
  room.hub->Stop(absl::ZeroDuration());
  CHECK_FALSE(member.sink.result.has_value());
  room.engine.ReleaseDone();
  room.Run();
  for (Client* client : {&member, &reader}) {
    CHECK(client->sink.CountFrames(HasGoingAway) == 1);
    CHECK(client->sink.EndReason() == v1::SERVER_STOPPING);
  }
  for (const OutgoingFrame& frame : reader.sink.frames) {
    if (frame.control.has_going_away()) {
      CHECK(frame.control.going_away().retry_after().seconds() == 1);
    }
  }
  CHECK(member.sink.acked_through() == commit);
  // The named member may come back to its partitions.
  CHECK(room.Members("g") == 1);
  CHECK(room.hub->subscription_count() == 0);

  Client& late = room.Subscribe(room.Earliest());
  CHECK(late.sink.EndReason() == v1::SERVER_STOPPING);
  CHECK(late.sink.by_handle.empty());
}

TEST_CASE("a stop does not wait for a client that does not read", "[subscribe]") {
  SubscribeRoom room;
  Client& client = room.MemberThatDoesNotRead();
  room.hub->Stop(absl::Milliseconds(1));
  CHECK_FALSE(client.sink.result.has_value());
  CHECK(room.Members("g") == 0);
  client.Written();
  CHECK(client.sink.CountFrames(HasGoingAway) == 1);
  client.Written();
  CHECK(client.sink.EndReason() == v1::SERVER_STOPPING);
}

TEST_CASE("a hub that goes drops the members of its streams", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Member("g"));
  room.hub.reset();
  CHECK(room.Members("g") == 0);
  CHECK_FALSE(client.sink.result.has_value());
}

TEST_CASE("a client that sends and does not read is ended in the end", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Earliest());
  client.reads = false;
  room.Publish(0, {"a"});
  room.Run();
  REQUIRE(client.sink.unwritten);
  for (int i = 0; i < 16'384; ++i) client.Commit(1, 0);
  CHECK_FALSE(client.sink.result.has_value());
  client.Tick();
  client.Written();
  CHECK(client.sink.EndReason() == v1::LIMIT_EXCEEDED);
}

TEST_CASE("control frames that pile up before the pool end the stream", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Earliest());
  room.timer.Advance(absl::Seconds(15));
  REQUIRE(room.pool.RunOne());
  REQUIRE(room.pool.pending() == 1);  // The stream's timer has the turn, and waits for the pool.
  SECTION("16,384 may wait") {
    for (int i = 0; i < 16'384; ++i) client.Tick();
    room.Run();
    CHECK_FALSE(client.sink.result.has_value());
  }
  SECTION("more may not") {
    for (int i = 0; i < 16'400; ++i) client.Tick();
    CHECK_FALSE(client.sink.result.has_value());
    room.Run();
    REQUIRE(client.sink.EndReason() == v1::LIMIT_EXCEEDED);
    CHECK(DetailsOf(*client.sink.result).at("limit") == "max_unanswered_controls");
  }
}

TEST_CASE("control frames that wait are bounded by their bytes", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Earliest());
  const auto send = [&client](int frames) {
    v1::SubscribeStart start;
    start.set_group(std::string(60'000, 'g'));
    for (int i = 0; i < frames; ++i) client.Start(start);
  };
  room.timer.Advance(absl::Seconds(15));
  REQUIRE(room.pool.RunOne());
  REQUIRE(room.pool.pending() == 1);  // The stream's timer has the turn, and waits for the pool.
  SECTION("1 MiB may wait") {
    send(17);
    room.Run();
    CHECK_FALSE(client.sink.result.has_value());
    CHECK(client.sink.acked_through() == client.last_id);
  }
  SECTION("more may not") {
    send(18);
    client.Tick();
    CHECK_FALSE(client.sink.result.has_value());
    room.Run();
    REQUIRE(client.sink.EndReason() == v1::LIMIT_EXCEEDED);
    CHECK(DetailsOf(*client.sink.result).at("limit") == "max_waiting_control_bytes");
    CHECK(DetailsOf(*client.sink.result).at("limit_value") == "1048576");
  }
}

TEST_CASE("what was settled waits no more", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Earliest());
  v1::SubscribeStart start;
  start.set_group(std::string(60'000, 'g'));
  for (int i = 0; i < 40; ++i) client.Start(start);  // Each in a turn of its own.
  room.Run();
  CHECK_FALSE(client.sink.result.has_value());
  CHECK(client.sink.acked_through() == client.last_id);
}

TEST_CASE("commits that pile up before the disk end the stream", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 1);
  Client& client = room.Subscribe(room.Member("g"));
  room.engine.HoldDone();
  for (int i = 0; i < 16'384; ++i) client.Commit(client.sink.Handle(0), 1);
  room.Run();
  CHECK_FALSE(client.sink.result.has_value());
  client.Tick();
  room.Run();
  CHECK(client.sink.EndReason() == v1::LIMIT_EXCEEDED);
  room.engine.ReleaseDone();
  room.Run();
}

}  // namespace
}  // namespace acta
