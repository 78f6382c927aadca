// What waits while the disk is full, and what does not.
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

TEST_CASE("retention frees a full disk from what no group needs, also while acks wait", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 4);
  Client& client = room.Work();
  REQUIRE(client.sink.leased.size() == 4);
  for (const size_t i : {0, 1}) client.Ack(client.sink.leased[i]);
  room.Run();
  const auto first_after = [&](int64_t first) {
    room.engine.TrimTo(room.Id(0), Offset(first));
    return room.engine.Extent(room.Id(0))->first.value();
  };
  room.engine.SetDiskState(DiskState::kHard);
  client.Ack(client.sink.leased[3]);
  room.Run();
  CHECK(first_after(3) == 0);
  CHECK(first_after(2) == 2);
  // After a crash these would come again.
  client.Ack(client.sink.leased[2]);
  room.Run();
  CHECK(first_after(4) == 2);
  room.engine.SetDiskState(DiskState::kOk);
  room.Advance(absl::Seconds(1));
  CHECK(first_after(4) == 4);
  CHECK(room.Rows(kKeptRows) == 0);
  CHECK(room.Rows(kParkedRows) == 0);
}

TEST_CASE("who waits for a full disk goes on when it has room, also while the pool is busy",
          "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  room.Work();
  room.engine.FailNextSubmit(Error(v1::DISK_FULL, "full"));
  std::atomic<bool> skipped = false;
  absl::Status answer;
  std::thread operation([&] {
    v1::SkipOffsetsRequest skip;
    skip.set_group("workers");
    skip.set_topic("orders");
    skip.set_reason("nobody needs it");
    answer = room.groups.Skip(room.caller, skip).status();
    skipped = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK_FALSE(skipped);
  for (int i = 0; i < 600 && !skipped; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  CHECK(skipped);
  room.Advance(absl::Seconds(1));
  operation.join();
  CHECK_OK(answer);
}

TEST_CASE("nobody waits for a full disk when the broker stops", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  room.Work();
  room.engine.FailNextSubmit(Error(v1::DISK_FULL, "full"));
  absl::Status skipped;
  std::thread operation([&] {
    v1::SkipOffsetsRequest skip;
    skip.set_group("workers");
    skip.set_topic("orders");
    skip.set_reason("nobody needs it");
    skipped = room.groups.Skip(room.caller, skip).status();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  room.engine.SetDiskState(DiskState::kHard);
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

TEST_CASE("who asks what a redrive or a discard would do does not wait for a full disk",
          "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 2);
  Client& client = room.Work();
  room.Reject(client);
  room.engine.SetDiskState(DiskState::kHard);
  client.Ack(client.sink.leased[1]);
  room.Run();
  v1::RedriveDeadLettersRequest redrive;
  redrive.set_group("workers");
  redrive.set_dry_run(true);
  *redrive.mutable_selection() = QueueRoom::AllLetters();
  CHECK(room.groups.RedriveDeadLetters(room.caller, redrive)->redriven() >= 1);
  v1::DiscardDeadLettersRequest discard;
  discard.set_group("workers");
  discard.set_dry_run(true);
  *discard.mutable_selection() = QueueRoom::AllLetters();
  CHECK(room.groups.DiscardDeadLetters(room.caller, discard)->discarded() >= 1);
}

TEST_CASE("nobody waits for an operator's change that a full disk does not take", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 2);
  Client& client = room.Work();
  room.Reject(client);
  room.engine.SetDiskState(DiskState::kHard);
  const bool acks = GENERATE(false, true);  // Which wait for room.
  if (acks) client.Ack(client.sink.leased[1]);
  room.Run();
  v1::RedriveDeadLettersRequest redrive;
  redrive.set_group("workers");
  *redrive.mutable_selection() = QueueRoom::AllLetters();
  CHECK(ReasonOf(room.groups.RedriveDeadLetters(room.caller, redrive).status()) == v1::DISK_FULL);
  v1::DiscardDeadLettersRequest discard;
  discard.set_group("workers");
  *discard.mutable_selection() = QueueRoom::AllLetters();
  CHECK(ReasonOf(room.groups.DiscardDeadLetters(room.caller, discard).status()) == v1::DISK_FULL);
  v1::SkipOffsetsRequest skip;
  skip.set_group("workers");
  skip.set_topic("orders");
  skip.set_reason("nobody needs it");
  CHECK(ReasonOf(room.groups.Skip(room.caller, skip).status()) == v1::DISK_FULL);
  v1::UpdateGroupRequest update;
  update.mutable_group()->set_name("workers");
  update.mutable_update_mask()->add_paths("description");
  CHECK(ReasonOf(room.groups.Update(room.caller, update).status()) == v1::DISK_FULL);
  v1::DeleteGroupRequest deletion;
  deletion.set_name("workers");
  deletion.set_force(true);
  CHECK(ReasonOf(room.groups.Delete(room.caller, deletion).status()) == v1::DISK_FULL);
  CHECK_FALSE(client.sink.result.has_value());  // Its members go on.
  // There is room again, also while who waits has not noticed yet.
  room.engine.SetDiskState(DiskState::kOk);
  CHECK(room.groups.RedriveDeadLetters(room.caller, redrive)->redriven() >= 1);
}

TEST_CASE("nobody waits for the retention of dead letters while the disk is full", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work(1);
  room.Reject(client);
  room.engine.SetDiskState(DiskState::kHard);
  room.Advance(absl::Hours(24 * 31));  // It would wait for ever.
  room.engine.SetDiskState(DiskState::kOk);
  room.Advance(absl::Minutes(20));
  CHECK(room.DeadLetters().dead_letters().empty());
  CHECK(room.groups.Measure().front().queue->dead_letters == 0);
}

}  // namespace
}  // namespace acta
