// Skipping events of a QUEUE group, and what waits while the disk is full.
#include <atomic>
#include <chrono>
#include <thread>

#include "storage/layout/rows.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

TEST_CASE("nobody waits for copies while the disk is full", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a", "b"});
  Client& client = room.Work();
  REQUIRE(client.sink.leased.size() == 2);
  room.engine.SetDiskState(DiskState::kHard);
  client.Ack(client.sink.leased[1]);
  room.Run();
  room.engine.TrimTo(room.Id(0), Offset(1));
  CHECK(room.engine.Extent(room.Id(0))->first == Offset(0));
  room.engine.SetDiskState(DiskState::kOk);
  room.Advance(absl::Seconds(1));
  room.engine.TrimTo(room.Id(0), Offset(1));
  CHECK(room.engine.Extent(room.Id(0))->first == Offset(1));
  CHECK(room.engine.LoadRows(Family::kState, kKeptRows)->size() == 1);
}

TEST_CASE("who waits for a full disk goes on when it has room, also while the pool is busy",
          "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  room.Work();
  room.engine.SetDiskState(DiskState::kHard);
  std::atomic<bool> skipped = false;
  std::thread operation([&] {
    v1::SkipOffsetsRequest skip;
    skip.set_group("workers");
    skip.set_topic("orders");
    skip.set_reason("nobody needs it");
    CHECK(room.groups.Skip(room.caller, skip).ok());
    skipped = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK_FALSE(skipped);
  room.engine.SetDiskState(DiskState::kOk);
  for (int i = 0; i < 100 && !skipped; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  CHECK(skipped);
  room.Advance(absl::Seconds(1));
  operation.join();
}

TEST_CASE("events that nobody has looked at yet are skipped too", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 10);
  v1::SkipOffsetsRequest skip;
  skip.set_group("workers");
  skip.set_topic("orders");
  skip.set_offset(2);
  skip.set_count(3);
  skip.set_reason("test orders");
  skip.set_dry_run(true);
  CHECK(room.groups.Skip(room.caller, skip)->skipped() == 3);
  skip.set_dry_run(false);
  CHECK(room.groups.Skip(room.caller, skip)->skipped() == 3);
  CHECK(room.Lag("workers", 0).lag_events() == 7);
  Client& client = room.Work();
  CHECK(room.DataOf(client) == std::vector<std::string>{"0", "1", "5", "6", "7", "8", "9"});
}

TEST_CASE("nobody waits for a full disk when the broker stops", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  room.Work();
  room.engine.SetDiskState(DiskState::kHard);
  absl::Status skipped;
  std::thread operation([&] {
    v1::SkipOffsetsRequest skip;
    skip.set_group("workers");
    skip.set_topic("orders");
    skip.set_reason("nobody needs it");
    skipped = room.groups.Skip(room.caller, skip).status();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  room.groups.StopWaiting();
  operation.join();
  CHECK(ReasonOf(skipped) == v1::SERVER_STOPPING);
}

TEST_CASE("a stopping broker still writes what the disk takes", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& client = room.Work();
  room.groups.StopWaiting();
  client.Ack(client.sink.leased.front());
  room.Run();
  const auto rows = room.engine.LoadRows(Family::kState, PositionRow(GroupId(1), room.Id(0)));
  REQUIRE_OK(rows);
  storage::v1::PositionRecord position;
  REQUIRE(position.ParseFromString(rows->front().second));
  CHECK(position.offset() == 1);
}

v1::SkipOffsetsRequest SkipFrom(int64_t offset, int32_t count) {
  v1::SkipOffsetsRequest skip;
  skip.set_group("workers");
  skip.set_topic("orders");
  skip.set_offset(offset);
  skip.set_count(count);
  skip.set_reason("cannot be read");
  return skip;
}

TEST_CASE("skipping what cannot be read leaves those alone that members have", "[queue]") {
  QueueRoom room;
  for (int i = 0; i < 3; ++i)
    room.PublishElements(0, Element("a") + Element("b") + Element("c"), 3);
  room.engine.CorruptBatch(room.Id(0), Offset(4));
  Client& one = room.Work(1000, "one");
  REQUIRE(one.sink.leased.size() == 3);
  const v1::PartitionExplanation why = room.Explain();
  CHECK(why.code() == v1::STANDSTILL_CODE_GAP);
  CHECK(why.command() ==
        "acta group skip workers --topic orders --partition 0 --offset 3 --count 3 "
        "--reason \"...\"");
  v1::SkipOffsetsRequest skip = SkipFrom(3, 3);
  skip.set_dry_run(true);
  CHECK(room.groups.Skip(room.caller, skip)->skipped() == 3);
  skip.set_dry_run(false);
  CHECK(room.groups.Skip(room.caller, skip)->skipped() == 3);
  room.Run();
  CHECK(one.sink.leased.size() == 6);
  one.Ack(one.sink.leased[0]);
  room.Run();
  CHECK(one.sink.errors().empty());
  one.stream->OnHalfClose();
  room.Run();
  CHECK(room.DataOf(room.Work(1000, "two")) == Strings{"b", "c", "a", "b", "c"});
}

TEST_CASE("a skip of more than the window holds takes all of it", "[queue]") {
  QueueRoom room;
  for (int i = 0; i < 25; ++i) {
    std::string elements;
    for (int n = 0; n < 1000; ++n) elements += Element("x");
    room.PublishElements(0, elements, 1000);
  }
  v1::SkipOffsetsRequest skip = SkipFrom(0, 24'999);
  skip.set_dry_run(true);
  CHECK(room.groups.Skip(room.caller, skip)->skipped() == 24'999);
  // What is behind the window cannot be reached without what is before it.
  skip.set_offset(22'000);
  skip.set_count(100);
  CHECK(room.groups.Skip(room.caller, skip)->skipped() == 0);
  skip.set_dry_run(false);
  CHECK(room.groups.Skip(room.caller, skip)->skipped() == 0);
  CHECK(room.groups.Skip(room.caller, SkipFrom(0, 24'999))->skipped() == 24'999);
  CHECK(room.DataOf(room.Work()) == Strings{"x"});
}

}  // namespace
}  // namespace acta
