#include <catch2/catch.hpp>

#include <string>

#include "server/core/subscribe/catch_up_pace.h"
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

}  // namespace
}  // namespace acta
