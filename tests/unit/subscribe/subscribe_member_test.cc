#include "tests/unit/subscribe/subscribe_room.h"

namespace acta {
namespace {

using Start = v1::SubscribeStart;

// The last frame that has such a piece.
template <typename Has>
const v1::DeliveryFrame& LastWith(const Client& client, Has has) {
  for (auto frame = client.sink.frames.rbegin(); frame != client.sink.frames.rend(); ++frame) {
    if (has(frame->control)) return frame->control;
  }
  FAIL("no such frame");
  return client.sink.frames.back().control;
}
bool HasRevoking(const v1::DeliveryFrame& frame) { return frame.revoking_size() > 0; }
bool HasRevoked(const v1::DeliveryFrame& frame) { return frame.revoked_size() > 0; }

TEST_CASE("a member is told its id, and that the group was created", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(2);
  room.Publish(0, {"a"});
  Client& first = room.Subscribe(room.Member("g", "one"));
  REQUIRE(first.sink.Notices("MEMBER_ID").size() == 1);
  CHECK(first.sink.Notices("MEMBER_ID")[0].text() == "one");
  REQUIRE(first.sink.Notices("GROUP_CREATED").size() == 1);
  CHECK(first.sink.Notices("GROUP_CREATED")[0].text() == "g");
  CHECK(first.sink.acked_through() == 1);
  CHECK(first.sink.Data(0) == Strings{"a"});
  REQUIRE(first.sink.by_handle.size() == 2);
  CHECK(first.sink.by_handle[first.sink.Handle(0)].generation() == 1);
  // What the group says comes after what the stream is.
  CHECK(first.sink.frames.front().control.notice_size() > 0);

  Client& second = room.Subscribe(room.Member("g"));
  CHECK(second.sink.Notices("MEMBER_ID")[0].text().substr(0, 2) == "m-");
  CHECK(second.sink.Notices("GROUP_CREATED").empty());
}

TEST_CASE("a group that is there with other settings refuses the start", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.MakeTopic(1, "other");
  room.Subscribe(room.Member("g"));
  Start start = room.Member("g");
  start.mutable_topics(0)->set_topic("other");
  CHECK(room.Subscribe(start).sink.EndReason() == v1::GROUP_MISMATCH);
}

TEST_CASE("a commit is settled when it is durable", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 10);
  Client& client = room.Subscribe(room.Member("g"));
  room.engine.HoldDone();
  const uint64_t commit = client.Commit(client.sink.Handle(0), 4);
  const uint64_t tick = client.Tick();
  room.Run();
  CHECK(client.sink.acked_through() < commit);
  room.engine.ReleaseDone();
  // The engine's thread sent nothing itself.
  CHECK(client.sink.acked_through() < commit);
  room.Run();
  CHECK(client.sink.acked_through() == tick);
  CHECK(client.sink.errors().empty());
  CHECK(room.authorizer.asked.back() == "subscribe group g");
  CHECK(room.Lag("g", 0).committed_offset() == 4);
}

TEST_CASE("frames are settled in order, also where a later one fails at once", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 10);
  Client& client = room.Subscribe(room.Member("g"));
  room.engine.HoldDone();
  client.Commit(client.sink.Handle(0), 4);
  const uint64_t stale = client.Commit(999, 4);
  const uint64_t beyond = client.Commit(client.sink.Handle(0), 11);
  room.Run();
  CHECK(client.sink.errors().empty());
  room.engine.ReleaseDone();
  room.Run();
  CHECK(client.sink.ErrorOf(stale) == v1::FENCED);
  CHECK(client.sink.ErrorOf(beyond) == v1::OFFSET_BEYOND_END);
  CHECK(client.sink.acked_through() == beyond);
  CHECK_FALSE(client.sink.result.has_value());
}

TEST_CASE("a commit that is not newer is told and changes nothing", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 10);
  Client& client = room.Subscribe(room.Member("g"));
  client.Commit(client.sink.Handle(0), 4);
  room.Run();
  CHECK(client.sink.Notices("COMMIT_NOT_NEWER").empty());
  for (const int64_t offset : {4, 3}) client.Commit(client.sink.Handle(0), offset);
  room.Run();
  REQUIRE(client.sink.Notices("COMMIT_NOT_NEWER").size() == 2);
  CHECK(client.sink.Notices("COMMIT_NOT_NEWER")[0].assignment() == client.sink.Handle(0));
  CHECK(client.sink.acked_through() == client.last_id);
  CHECK(room.Lag("g", 0).committed_offset() == 4);
}

TEST_CASE("frames about assignments before the member has joined are fenced", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Connect();
  client.Start(room.Member("g"));
  const uint64_t commit = client.Commit(1, 0);
  const uint64_t released = client.Released(1);
  CHECK(client.sink.frames.empty());
  room.Run();
  CHECK(client.sink.ErrorOf(commit) == v1::FENCED);
  CHECK(client.sink.ErrorOf(released) == v1::FENCED);
  CHECK(client.sink.acked_through() == released);
  CHECK(client.sink.by_handle.size() == 1);
}

TEST_CASE("the authorizer is asked for every commit and release", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 2);
  Client& client = room.Subscribe(room.Member("g"));
  room.authorizer.refused = std::string("g");
  const uint64_t commit = client.Commit(client.sink.Handle(0), 1);
  const uint64_t released = client.Released(client.sink.Handle(0));
  room.Run();
  CHECK(client.sink.ErrorOf(commit) == v1::PERMISSION_DENIED);
  CHECK(client.sink.ErrorOf(released) == v1::PERMISSION_DENIED);
  CHECK(room.Lag("g", 0).committed_offset() == 0);
}

TEST_CASE("a partition moves: revoking, commit, released, assigned", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(2);
  room.PublishNumbers(0, 10);
  room.PublishNumbers(1, 10);
  Client& first = room.Subscribe(room.Member("g"));
  Client& second = room.Subscribe(room.Member("g"));
  const v1::Revoking revoking = LastWith(first, HasRevoking).revoking(0);
  CHECK(revoking.deadline().seconds() == 30);
  const uint64_t handle = revoking.assignment();
  const int32_t partition = first.sink.by_handle[handle].partition();
  CHECK(second.sink.by_handle.empty());

  // Nothing more of it is delivered to the first.
  room.Publish(partition, {"new"});
  room.Run();
  CHECK(first.sink.data[handle] == room.Numbers(0, 10));

  const uint64_t commit = first.Commit(handle, 7);
  const uint64_t released = first.Released(handle);
  room.Run();
  CHECK(first.sink.acked_through() == released);
  CHECK(first.sink.errors().empty());
  CHECK(first.sink.CountFrames(HasRevoked) == 0);
  REQUIRE(second.sink.Handle(partition) != 0);
  const v1::Assigned assigned = second.sink.by_handle[second.sink.Handle(partition)];
  CHECK(assigned.offset() == 7);
  CHECK(assigned.generation() == 2);
  Strings expected = room.Numbers(7, 10);
  expected.push_back("new");
  CHECK(second.sink.Data(partition) == expected);
  CHECK(commit < released);

  // The old handle is of no use any more.
  const uint64_t stale = first.Commit(handle, 8);
  const uint64_t again = first.Released(handle);
  room.Run();
  CHECK(first.sink.ErrorOf(stale) == v1::FENCED);
  CHECK(first.sink.ErrorOf(again) == v1::FENCED);
}

TEST_CASE("releasing what is not being revoked is fenced", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Member("g"));
  const uint64_t released = client.Released(client.sink.Handle(0));
  room.Publish(0, {"a"});
  room.Run();
  CHECK(client.sink.ErrorOf(released) == v1::FENCED);
  CHECK(client.sink.Data(0) == Strings{"a"});
}

TEST_CASE("who does not release in time is revoked by force", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(2);
  Client& first = room.Subscribe(room.Member("g"));
  Client& second = room.Subscribe(room.Member("g"));
  const uint64_t handle = LastWith(first, HasRevoking).revoking(0).assignment();
  for (int i = 0; i < 3; ++i) {
    CHECK(second.sink.by_handle.empty());
    first.Tick();
    second.Tick();
    room.Advance(absl::Seconds(10));
  }
  CHECK(LastWith(first, HasRevoked).revoked(0).assignment() == handle);
  CHECK(second.sink.by_handle.size() == 1);
  const uint64_t commit = first.Commit(handle, 0);
  room.Run();
  CHECK(first.sink.ErrorOf(commit) == v1::FENCED);
}

TEST_CASE("a member that says nothing for 15 s is ended", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Member("g"));
  Client& reader = room.Subscribe(room.Earliest());
  room.Advance(absl::Seconds(10));
  client.Tick();
  room.Advance(absl::Seconds(14));
  CHECK_FALSE(client.sink.result.has_value());
  room.Advance(absl::Seconds(1));
  CHECK(client.sink.EndReason() == v1::MEMBER_TIMED_OUT);
  CHECK(room.Members("g") == 0);
  // Without a group there is nobody to wait for it.
  room.Advance(absl::Seconds(100));
  CHECK_FALSE(reader.sink.result.has_value());
}

TEST_CASE("silence is measured while the time of the engine stands still", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Member("g"));
  room.Pass(absl::Seconds(10));
  client.Tick();
  room.Pass(absl::Seconds(14));
  CHECK_FALSE(client.sink.result.has_value());
  room.Pass(absl::Seconds(1));
  CHECK(client.sink.EndReason() == v1::MEMBER_TIMED_OUT);
}

TEST_CASE("time of the engine that leaps is no silence", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Member("g"));
  for (int i = 0; i < 3; ++i) {
    client.Tick();
    room.engine.Advance(absl::Hours(1));
    room.Pass(absl::Seconds(10));
    room.engine.Advance(absl::Hours(1));
    room.Pass(absl::Seconds(4));
    CHECK_FALSE(client.sink.result.has_value());
  }
  room.Pass(absl::Seconds(1));
  CHECK(client.sink.EndReason() == v1::MEMBER_TIMED_OUT);
}

TEST_CASE("a member that half-closed and does not read is ended like a silent one", "[subscribe]") {
  SubscribeRoom room;
  Client& client = room.MemberThatDoesNotRead();
  room.Advance(absl::Seconds(10));
  client.stream->OnHalfClose();
  room.Advance(absl::Seconds(14));
  CHECK(room.Members("g") == 1);
  room.Advance(absl::Seconds(1));
  CHECK(room.Members("g") == 0);
}

TEST_CASE("a member that half-closed gets its answers however long they take", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.Publish(0, {"a"});
  Client& client = room.Subscribe(room.Member("g"));
  room.engine.HoldDone();
  const uint64_t commit = client.Commit(client.sink.Handle(0), 1);
  client.stream->OnHalfClose();
  for (int i = 0; i < 10; ++i) room.Advance(absl::Seconds(5));
  CHECK_FALSE(client.sink.result.has_value());
  room.engine.ReleaseDone();
  room.Run();
  CHECK(client.sink.acked_through() == commit);
  REQUIRE(client.sink.result.has_value());
  CHECK_OK(*client.sink.result);
}

TEST_CASE("a member that is replaced, or whose group goes, is ended", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Subscribe(room.Member("g", "one"));
  SECTION("replaced") {
    Client& other = room.Subscribe(room.Member("g", "one"));
    CHECK(client.sink.EndReason() == v1::MEMBER_REPLACED);
    CHECK_FALSE(other.sink.result.has_value());
    CHECK(other.sink.by_handle.size() == 1);
  }
  SECTION("deleted") {
    v1::DeleteGroupRequest request;
    request.set_name("g");
    request.set_force(true);
    REQUIRE_OK(room.groups.Delete(room.caller, request));
    room.Run();
    CHECK(client.sink.EndReason() == v1::GROUP_NOT_FOUND);
  }
}

TEST_CASE("a topic that is deleted is revoked from a member once, the last one ends it",
          "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.MakeTopic(1, "other");
  Start start = room.Member("g");
  start.add_topics()->set_topic("other");
  Client& client = room.Subscribe(start);
  const auto revoked = [&client] {
    size_t count = 0;
    for (const OutgoingFrame& frame : client.sink.frames) {
      count += static_cast<size_t>(frame.control.revoked_size());
    }
    return count;
  };
  room.DeleteTopic();
  room.Run();
  CHECK(revoked() == 1);
  CHECK_FALSE(client.sink.result.has_value());
  room.Publish(0, {"a"}, "other");
  room.Run();
  CHECK(client.sink.Data(0, "other") == Strings{"a"});
  room.DeleteTopic("other");
  room.Run();
  CHECK(revoked() == 2);
  CHECK(client.sink.EndReason() == v1::TOPIC_NOT_FOUND);
}

TEST_CASE("a broken stream gives its partitions away, a named member's are kept", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 3);
  Client& first = room.Subscribe(room.Member("g", GENERATE("", "one")));
  const bool named = first.sink.Notices("MEMBER_ID")[0].text() == "one";
  Client& second = room.Subscribe(room.Member("g"));
  CHECK(second.sink.events == 0);
  first.stream->OnDisconnect();
  room.Run();
  CHECK(second.sink.events == (named ? 0 : 3));
  CHECK(first.sink.frames.back().control.revoked_size() == 0);
  CHECK_FALSE(first.sink.result.has_value());
}

TEST_CASE("a stream that breaks while it joins leaves no member", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  Client& client = room.Connect();
  client.Start(room.Member("g"));
  client.stream->OnDisconnect();
  room.Run();
  CHECK(client.sink.frames.empty());
  CHECK(room.Members("g") == 0);
}

}  // namespace
}  // namespace acta
