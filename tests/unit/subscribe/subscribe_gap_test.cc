#include "tests/unit/subscribe/subscribe_room.h"

namespace acta {
namespace {

using Start = v1::SubscribeStart;

Start At(int64_t offset, int64_t incarnation) {
  Start start = SubscribeRoom::Earliest();
  v1::PartitionPosition* position = start.mutable_topics(0)->add_partitions();
  position->set_offset(offset);
  position->set_incarnation(incarnation);
  return start;
}

v1::Gap OnlyGap(const Client& client) {
  REQUIRE(client.sink.gaps().size() == 1);
  return client.sink.gaps()[0];
}

TEST_CASE("what retention removed is told as a gap and the partition stops", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(2);
  room.PublishNumbers(0, 10);
  room.engine.TrimTo(room.Id(0), Offset(4));
  SECTION("behind the first offset") {
    Client& client = room.Subscribe(At(1, 0));
    const v1::Gap gap = OnlyGap(client);
    CHECK(gap.assignment() == client.sink.Handle(0));
    CHECK(gap.status().reason() == v1::GAP);
    CHECK(gap.status().details().at("topic") == "orders");
    CHECK(gap.status().details().at("partition") == "0");
    CHECK(gap.first_lost() == 1);
    CHECK(gap.last_lost() == 3);
    room.Publish(0, {"x"});
    room.Publish(1, {"other"});
    room.Run();
    CHECK(client.sink.Data(0).empty());
    CHECK(client.sink.Data(1) == Strings{"other"});
    CHECK_FALSE(client.sink.result.has_value());
  }
  SECTION("at the first offset there is none") {
    Client& client = room.Subscribe(At(4, 0));
    CHECK(client.sink.gaps().empty());
    CHECK(client.sink.Data(0) == room.Numbers(4, 10));
  }
}

TEST_CASE("a lost tail is told with where the logs diverged", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 10);
  room.engine.LoseTail(room.Id(0), Offset(6));
  room.Publish(0, {"new"});
  SECTION("to a position behind the cut") {
    const int64_t offset = GENERATE(7, 10);
    Client& client = room.Subscribe(At(offset, 1));
    const v1::Gap gap = OnlyGap(client);
    // Who comes back with what it was assigned is told again.
    CHECK(client.sink.by_handle[gap.assignment()].incarnation() == 1);
    CHECK(gap.status().reason() == v1::LOG_TRUNCATED);
    CHECK(gap.status().details().at("offset") == "6");
    CHECK(gap.status().details().at("incarnation") == "2");
    CHECK(gap.first_lost() == 6);
    CHECK(gap.last_lost() == offset - 1);
  }
  SECTION("not to a position before it, nor to one that knows no incarnation") {
    Client& before = room.Subscribe(At(6, 1));
    CHECK(before.sink.gaps().empty());
    CHECK(before.sink.Data(0) == Strings{"new"});
    Client& unknown = room.Subscribe(At(7, 0));
    CHECK(unknown.sink.gaps().empty());
  }
}

// A member of group "g" that committed this of ten events, and was away while all from 6 on were
// lost.
Client& ComeBackBehindCut(SubscribeRoom& room, int64_t committed) {
  room.MakeTopic(1);
  room.PublishNumbers(0, 10);
  Client& before = room.Subscribe(room.Member("g"));
  before.Commit(before.sink.Handle(0), committed);
  room.Run();
  before.stream->OnDisconnect();
  room.engine.LoseTail(room.Id(0), Offset(6));
  return room.Subscribe(room.Member("g"));
}

TEST_CASE("a member is told in which life of the log it reads", "[subscribe]") {
  SubscribeRoom room;
  Client& after = ComeBackBehindCut(room, 4);
  CHECK(after.sink.gaps().empty());
  const v1::Assigned assigned = after.sink.by_handle[after.sink.Handle(0)];
  CHECK(assigned.offset() == 4);
  CHECK(assigned.incarnation() == 2);
}

TEST_CASE("a group whose position lies in a lost tail is told so", "[subscribe]") {
  SubscribeRoom room;
  Client& again = ComeBackBehindCut(room, 9);
  const v1::Gap gap = OnlyGap(again);
  CHECK(again.sink.by_handle[gap.assignment()].incarnation() == 1);
  CHECK(gap.status().reason() == v1::LOG_TRUNCATED);
  CHECK(gap.first_lost() == 6);
  CHECK(gap.last_lost() == 8);
  // What it has of before is not committed where other events come.
  room.PublishNumbers(0, 20);
  const uint64_t frame = again.Commit(gap.assignment(), 10);
  room.Run();
  CHECK(again.sink.ErrorOf(frame) == v1::LOG_TRUNCATED);
  again.stream->OnDisconnect();
  const v1::Gap same = OnlyGap(room.Subscribe(room.Member("g")));
  CHECK(same.last_lost() == 8);
}

TEST_CASE("a damaged batch is told after what comes before it", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 9, 3);
  room.engine.CorruptBatch(room.Id(0), Offset(4));
  Client& client = room.Subscribe(room.Earliest());
  CHECK(client.sink.Data(0) == room.Numbers(0, 3));
  const v1::Gap gap = OnlyGap(client);
  CHECK(gap.status().reason() == v1::DATA_CORRUPTED);
  CHECK(gap.first_lost() == 3);
  CHECK(gap.last_lost() == 5);
  // The gap stands in a frame after the events.
  CHECK(client.sink.frames.back().control.gap_size() == 1);
  CHECK(client.sink.frames.back().batches.empty());
}

TEST_CASE("what the disk does not give is read again, for five minutes", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  room.PublishNumbers(0, 3);
  room.engine.SetCachedReads(false);
  const absl::Status refused =
      Error(v1::DATA_CORRUPTED, "cannot be read",
            {{"first_lost", "0"}, {"last_lost", "2"}, {kIoErrorDetail, "true"}});
  SECTION("and delivered when it is given") {
    room.engine.FailNextRead(refused);
    Client& client =
        room.Subscribe(GENERATE(SubscribeRoom::Earliest(), SubscribeRoom::Member("g")));
    CHECK(client.sink.gaps().empty());
    CHECK(client.sink.events == 0);
    room.Advance(absl::Seconds(1));
    CHECK(client.sink.Data(0) == room.Numbers(0, 3));
    CHECK(client.sink.gaps().empty());
  }
  SECTION("and told as a gap then") {
    room.engine.FailReadsAt(room.Id(0), Offset(0), refused);
    Client& client = room.Subscribe(room.Earliest());
    for (int second = 0; second < 290; ++second) room.Advance(absl::Seconds(1));
    CHECK(client.sink.gaps().empty());
    for (int second = 0; second < 20; ++second) room.Advance(absl::Seconds(1));
    const v1::Gap gap = OnlyGap(client);
    CHECK(gap.status().details().at(kIoErrorDetail) == "true");
    CHECK(gap.last_lost() == 2);
  }
}

TEST_CASE("a group member with a gap keeps its other partitions and its place", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(2);
  room.PublishNumbers(0, 10);
  room.PublishNumbers(1, 10);
  Client& first = room.Subscribe(room.Member("g"));
  first.stream->OnDisconnect();
  room.engine.TrimTo(room.Id(0), Offset(4));
  Client& client = room.Subscribe(room.Member("g"));
  const v1::Gap gap = OnlyGap(client);
  CHECK(gap.status().reason() == v1::GAP);
  CHECK(gap.last_lost() == 3);
  CHECK(client.sink.Data(1) == room.Numbers(0, 10));
  // Committing over the gap is the member's decision.
  const uint64_t commit = client.Commit(client.sink.Handle(0), 4);
  room.Run();
  CHECK(client.sink.errors().empty());
  CHECK(client.sink.acked_through() == commit);
}

}  // namespace
}  // namespace acta
