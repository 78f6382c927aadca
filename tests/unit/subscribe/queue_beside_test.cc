// Groups of both modes on one topic.
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

void ResetBeside(QueueRoom& room, const std::string& group) {
  v1::ResetOffsetsRequest reset;
  reset.set_group(group);
  reset.mutable_to()->set_earliest(true);
  reset.set_reason("once more");
  reset.set_force(true);
  REQUIRE_OK(room.groups.ResetOffsets(room.caller, reset));
  room.Run();
}

void PauseBeside(QueueRoom& room, const std::string& group) {
  v1::PauseGroupRequest pause;
  pause.set_group(group);
  pause.set_reason("deploying");
  REQUIRE_OK(room.groups.Pause(room.caller, pause));
  room.Run();
}

void SkipBeside(QueueRoom& room, const std::string& group, int64_t offset) {
  v1::SkipOffsetsRequest skip;
  skip.set_group(group);
  skip.set_topic("orders");
  skip.set_offset(offset);
  skip.set_reason("nobody needs it");
  REQUIRE_OK(room.groups.Skip(room.caller, skip));
  room.Run();
}

TEST_CASE("STREAM and QUEUE groups on one topic do not disturb one another", "[queue]") {
  QueueRoom room;
  Client& stream = room.Subscribe(room.Member("g"));
  Client& worker = room.Work(5);
  room.PublishNumbers(0, 10);
  room.Run();
  CHECK(stream.sink.Data(0) == room.Numbers(0, 10));
  REQUIRE(worker.sink.leased.size() == 5);
  CHECK(room.Lag("g", 0).lag_events() == 10);
  stream.Commit(stream.sink.Handle(0), 4);
  room.Run();
  SECTION("whoever says what is for the other mode") {
    stream.Settle(v1::SETTLE_KIND_ACK, worker.sink.leased[0]);
    room.Run();
    CHECK(stream.sink.ErrorOf(stream.last_id) == v1::WRONG_GROUP_MODE);
    worker.Commit(1, 1);
    room.Run();
    CHECK(worker.sink.ErrorOf(worker.last_id) == v1::WRONG_GROUP_MODE);
  }
  SECTION("whatever becomes of the queue") {
    worker.Settle(v1::SETTLE_KIND_REJECT, worker.sink.leased[0]);
    worker.Nack(worker.sink.leased[1]);
    room.Run();
    SkipBeside(room, "workers", 2);
    PauseBeside(room, "workers");
    ResetBeside(room, "workers");
    room.PublishNumbers(0, 1);
    room.Run();
    CHECK(stream.sink.EndReason() == v1::ERROR_REASON_UNSPECIFIED);
    CHECK(stream.sink.Data(0).size() == 11);
    CHECK(room.Lag("g", 0).committed_offset() == 4);
    CHECK(room.Lag("g", 0).lag_events() == 7);
    stream.Commit(stream.sink.Handle(0), 11);
    room.Run();
    CHECK(room.Lag("g", 0).lag_events() == 0);
  }
  SECTION("whatever becomes of the stream") {
    PauseBeside(room, "g");
    SkipBeside(room, "g", 4);
    ResetBeside(room, "g");
    const v1::QueueLag lag = room.Lag("workers", 0).queue();
    CHECK(lag.leased() == 5);
    CHECK(lag.dead_letters() == 0);
    CHECK(worker.sink.EndReason() == v1::ERROR_REASON_UNSPECIFIED);
    for (const RecordingSink::Leased& event : worker.sink.leased) {
      CHECK(event.attempt == 1);
      worker.Ack(event);
    }
    worker.Credit(5, 1000);
    room.Run();
    CHECK(worker.sink.errors().empty());
    CHECK(room.DataOf(worker) == room.Numbers(0, 10));
  }
}

}  // namespace
}  // namespace acta
