// What bounds a QUEUE group: its window, the runs in it, what is parked.
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

constexpr int32_t kWindowEvents = 20'000;
constexpr int32_t kWindowRuns = 4'096;
constexpr int32_t kParkedEvents = 100'000;

// Events that take 5 bytes each, 1,000 a batch.
void PublishThousands(QueueRoom& room, int thousands) {
  for (int i = 0; i < thousands; ++i) room.Publish(0, Strings(1000, "x"));
}

void SettleRun(QueueRoom& room, Client& client, v1::SettleKind kind, size_t first, size_t count,
               absl::Duration delay = absl::ZeroDuration()) {
  v1::Settlement settlement;
  settlement.set_assignment(client.sink.leased.at(first).assignment);
  settlement.set_offset(client.sink.leased.at(first).offset);
  settlement.set_count(static_cast<int32_t>(count));
  settlement.set_kind(kind);
  if (delay > absl::ZeroDuration()) {
    settlement.mutable_delay()->set_seconds(absl::ToInt64Seconds(delay));
  }
  const uint64_t frame = client.Settle(settlement);
  room.Run();
  REQUIRE(client.sink.acked_through() == frame);
  REQUIRE(client.sink.errors().empty());
}

void AckEverySecond(QueueRoom& room, Client& client, int32_t count) {
  constexpr int32_t kInFrame = 2'000;
  for (int32_t at = 0; at < count;) {
    v1::SubscribeControl control;
    for (int32_t i = 0; i < kInFrame && at < count; ++i, ++at) {
      v1::Settlement* ack = control.mutable_settle()->add_settlements();
      ack->set_assignment(client.sink.leased.front().assignment);
      ack->set_offset(2 * at + 1);
      ack->set_kind(v1::SETTLE_KIND_ACK);
    }
    const uint64_t frame = client.Send(control);
    room.Run();
    REQUIRE(client.sink.acked_through() == frame);
  }
  REQUIRE(client.sink.errors().empty());
}

void CheckFull(QueueRoom& room, int64_t not_scanned) {
  const v1::PartitionExplanation why = room.Explain();
  CHECK(why.code() == v1::STANDSTILL_CODE_WINDOW_FULL);
  CHECK(why.command() == "acta group lag workers");
  CHECK(room.Lag("workers", 0).queue().not_scanned() == not_scanned);
}

TEST_CASE("a full window says WINDOW_FULL and stops the scan, never the acks", "[queue]") {
  QueueRoom room;
  PublishThousands(room, 25);
  Client& client = room.Work(30'000);
  REQUIRE(client.sink.leased.size() == kWindowEvents);
  CheckFull(room, 5'000);
  SettleRun(room, client, v1::SETTLE_KIND_ACK, 10'000, 1);  // In the midst of it.
  CHECK(client.sink.leased.size() == kWindowEvents + 1);
  CheckFull(room, 4'999);
  SettleRun(room, client, v1::SETTLE_KIND_ACK, 0, 10'000);
  CHECK(client.sink.leased.size() == 25'000);
  CHECK(room.Lag("workers", 0).committed_offset() == 10'001);
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_LEASE_HELD);
}

TEST_CASE("a full window has room when retention takes what is in it", "[queue]") {
  QueueRoom room;
  PublishThousands(room, 22);
  Client& client = room.Work(30'000);
  REQUIRE(client.sink.leased.size() == kWindowEvents);
  room.engine.TrimTo(room.Id(0), Offset(1'000));
  room.Run();
  CHECK(client.sink.leased.size() == kWindowEvents + 1'000);
  CheckFull(room, 1'000);
}

TEST_CASE("a window of as many runs as may be says WINDOW_FULL too", "[queue]") {
  QueueRoom room;
  PublishThousands(room, 10);
  Client& client = room.Work(20'000);
  REQUIRE(client.sink.leased.size() == 10'000);
  AckEverySecond(room, client, kWindowRuns - 2);
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_LEASE_HELD);
  SettleRun(room, client, v1::SETTLE_KIND_ACK, 9'000, 1);
  PublishThousands(room, 1);
  room.Run();
  CHECK(client.sink.leased.size() == 10'000);
  CheckFull(room, 1'000);
  SettleRun(room, client, v1::SETTLE_KIND_ACK, 0, 1);
  CHECK(client.sink.leased.size() == 11'000);
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_LEASE_HELD);
}

TEST_CASE("as many parked events as may be say WINDOW_FULL and stop the scan, never the acks",
          "[queue]") {
  QueueRoom room;
  PublishThousands(room, kParkedEvents / 1000 + 1);
  Client& client = room.Work(2 * kParkedEvents);
  const size_t last = kParkedEvents - 1;
  for (size_t at = 0; at < last;) {
    const size_t count = std::min(client.sink.leased.size() - at, last - at);
    REQUIRE(count > 0);
    SettleRun(room, client, v1::SETTLE_KIND_NACK, at, count, absl::Hours(1));
    at += count;
  }
  REQUIRE(client.sink.leased.size() == kParkedEvents + 1000);
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_LEASE_HELD);
  SettleRun(room, client, v1::SETTLE_KIND_NACK, last, 1, absl::Seconds(2));
  PublishThousands(room, 1);
  room.Run();
  CHECK(client.sink.leased.size() == kParkedEvents + 1000);
  CheckFull(room, 1000);
  SettleRun(room, client, v1::SETTLE_KIND_ACK, kParkedEvents, 1000);
  CHECK(room.Lag("workers", 0).committed_offset() == kParkedEvents + 1000);
  CheckFull(room, 1000);
  // One that is parked comes all the same, and what it leaves is room.
  room.Advance(absl::Seconds(2));
  REQUIRE(client.sink.leased.size() == kParkedEvents + 1001);
  CheckFull(room, 1000);
  SettleRun(room, client, v1::SETTLE_KIND_ACK, kParkedEvents + 1000, 1);
  CHECK(client.sink.leased.size() == kParkedEvents + 2001);
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_LEASE_HELD);
}

}  // namespace
}  // namespace acta
