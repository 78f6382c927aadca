#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/core/subscribe/catch_up_pace.h"
#include "tests/support/io_priority.h"
#include "tests/unit/subscribe/subscribe_room.h"

namespace acta {
namespace {

constexpr int64_t kMiB = 1 << 20;

// Reads in turn for a while of the clock; returns the bytes read a second.
double ReadFor(CatchUpPace& pace, FakeClock& clock, absl::Duration time) {
  double bytes = 0;
  absl::Duration spent;
  while (spent < time) {
    const CatchUpPace::Turn turn = pace.Next();
    bytes += static_cast<double>(turn.bytes);
    clock.Advance(turn.wait);
    spent += turn.wait;
    if (turn.wait == absl::ZeroDuration()) {  // A read takes time.
      clock.Advance(absl::Microseconds(10));
      spent += absl::Microseconds(10);
    }
  }
  return bytes / absl::ToDoubleSeconds(spent);
}

bool HeldBack(CatchUpPace& pace) {
  return pace.Next().wait + pace.Next().wait > absl::ZeroDuration();
}

TEST_CASE("reads from the disk are held back only while events are appended", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  CatchUpPace pace(room.engine, room.clock, 100 * kMiB);
  const size_t large = pace.Next().bytes;
  CHECK_FALSE(HeldBack(pace));
  room.Publish(0, {"a"});
  room.clock.Advance(absl::Milliseconds(100));
  CHECK(pace.Next().bytes < large);
  CHECK(HeldBack(pace));
  room.clock.Advance(absl::Milliseconds(100));
  CHECK_FALSE(HeldBack(pace));
  CHECK(pace.Next().bytes == large);
}

TEST_CASE("beside appends all reads together have the rate", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  CatchUpPace pace(room.engine, room.clock, 100 * kMiB);
  room.Publish(0, {"a"});
  room.clock.Advance(absl::Milliseconds(100));
  const double rate = ReadFor(pace, room.clock, absl::Milliseconds(90));
  CHECK(rate > 95.0 * kMiB);
  CHECK(rate < 105.0 * kMiB);
  SECTION("what a read brought beyond its turn counts") {
    const absl::Duration before = pace.Next().wait;
    pace.Also(10 * kMiB);
    CHECK(pace.Next().wait > before + absl::Milliseconds(99));
  }
}

TEST_CASE("reads may always be twice as fast as appends, so that catching up ends", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  CatchUpPace pace(room.engine, room.clock, kMiB);
  for (int i = 0; i < 10; ++i) room.Publish(0, {std::string(kMiB, 'a')});
  room.clock.Advance(absl::Milliseconds(100));
  CHECK(ReadFor(pace, room.clock, absl::Milliseconds(99)) > 195.0 * kMiB);
}

TEST_CASE("a rate of 0 holds nothing back", "[subscribe]") {
  SubscribeRoom room;
  room.MakeTopic(1);
  CatchUpPace pace(room.engine, room.clock, 0);
  room.Publish(0, {"a"});
  room.clock.Advance(absl::Seconds(1));
  CHECK_FALSE(HeldBack(pace));
}

// Whether a read of this turn is the disk's last.
bool ReadsLast(CatchUpPace& pace, const CatchUpPace::Turn& turn) {
  bool last = false;
  pace.Run(turn, [&] { last = IoPriority::Idle(); });
  return last;
}

TEST_CASE("reads that are held back are the disk's last", "[subscribe]") {
  const IoPriority given(IOPRIO_CLASS_BE, 4);
  if (!given.set()) {
    WARN("skipped: this machine lets no thread set its I/O class");
    return;
  }
  SubscribeRoom room;
  room.MakeTopic(1);
  CatchUpPace pace(room.engine, room.clock, 100 * kMiB);
  CHECK_FALSE(ReadsLast(pace, pace.Next()));
  room.Publish(0, {"a"});
  room.clock.Advance(absl::Milliseconds(100));
  const CatchUpPace::Turn turn = pace.Next();
  CHECK(ReadsLast(pace, turn));
  CHECK_FALSE(IoPriority::Idle());
  SECTION("a few at once") {
    bool third = true;
    pace.Run(turn, [&] {
      pace.Run(turn, [&] {
        const IoPriority of_another_thread(IOPRIO_CLASS_BE, 4);
        third = ReadsLast(pace, turn);
      });
    });
    CHECK_FALSE(third);
    CHECK(ReadsLast(pace, turn));
  }
  SECTION("but for a while after one that took long") {
    pace.Run(turn, [&] { room.clock.Advance(absl::Milliseconds(100)); });
    CHECK(ReadsLast(pace, turn));
    pace.Run(turn, [&] { room.clock.Advance(absl::Milliseconds(200)); });
    CHECK_FALSE(ReadsLast(pace, turn));
    room.clock.Advance(absl::Milliseconds(1999));
    CHECK_FALSE(ReadsLast(pace, turn));
    room.clock.Advance(absl::Milliseconds(1));
    CHECK(ReadsLast(pace, turn));
  }
}

TEST_CASE("reads are not the disk's last where that makes them slower than twice the appends",
          "[subscribe]") {
  const IoPriority given(IOPRIO_CLASS_BE, 4);
  if (!given.set()) {
    WARN("skipped: this machine lets no thread set its I/O class");
    return;
  }
  SubscribeRoom room;
  room.MakeTopic(1);
  CatchUpPace pace(room.engine, room.clock, kMiB);
  for (int i = 0; i < 10; ++i) room.Publish(0, {std::string(kMiB, 'a')});
  room.clock.Advance(absl::Milliseconds(100));
  // 256 KiB at 200 MiB/s are 1.25 ms.
  const CatchUpPace::Turn turn = pace.Next();
  pace.Run(turn, [&] { room.clock.Advance(absl::Milliseconds(1)); });
  CHECK(ReadsLast(pace, turn));
  pace.Run(turn, [&] { room.clock.Advance(absl::Milliseconds(2)); });
  CHECK_FALSE(ReadsLast(pace, turn));
}

// Writes down of each read whether it was the disk's last.
class WatchedReads final : public MemoryLogEngine {
 public:
  absl::StatusOr<std::vector<BatchPtr>> Read(PartitionId partition, Offset from,
                                             size_t max_bytes) const override {
    last.push_back(IoPriority::Idle());
    return MemoryLogEngine::Read(partition, from, max_bytes);
  }
  mutable std::vector<bool> last;
};

TEST_CASE("a stream that reads the past beside appends is the disk's last", "[subscribe]") {
  const IoPriority given(IOPRIO_CLASS_BE, 4);
  if (!given.set()) {
    WARN("skipped: this machine lets no thread set its I/O class");
    return;
  }
  const bool appended = GENERATE(true, false);
  SubscribeLimits limits;
  limits.catch_up_bytes_per_second = kMiB;
  auto engine = std::make_unique<WatchedReads>();
  const WatchedReads& reads = *engine;
  SubscribeRoom room(limits, {}, std::move(engine));
  room.MakeTopic(1);
  room.PublishNumbers(0, 5);
  room.engine.SetCachedReads(false);
  if (appended) room.clock.Advance(absl::Milliseconds(100));
  const Client& client = room.Subscribe(room.Earliest());
  CHECK(client.sink.Data(0) == room.Numbers(0, 5));
  CHECK(reads.last == std::vector<bool>{appended});
}

}  // namespace
}  // namespace acta
