// How far groups are behind, as scrapes are told.
#include "server/core/groups/lag_meter.h"

#include <catch2/catch.hpp>

#include "tests/unit/groups/groups_room.h"

namespace acta {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);
const absl::Time kStart = absl::FromUnixSeconds(1'000'000);

// One partition of a topic that keeps its events for a day.
struct MeterRoom {
  MeterRoom() { REQUIRE_OK(engine.OpenTopic(TopicId(7), 1, TopicSettings())); }
  LagMeter::Lag Measure(int64_t next) {
    LagMeter::GroupPlaces group{GroupId(1), 0, {}};
    group.places.push_back({partition, Offset(next), Offset(next), kDay});
    return meter->Measure({group}).front();
  }
  void Append(const std::string& payload) {
    Transaction transaction;
    Append_(payload, &transaction);
    REQUIRE_OK(engine.Submit(std::move(transaction)));
  }
  void Append_(const std::string& payload, Transaction* transaction) const {
    ::acta::Append append;
    append.partition = partition;
    append.payload = SharedBytes(payload);
    append.count = 1;
    transaction->appends.push_back(std::move(append));
    transaction->done = [](const TransactionResult&) {};
  }

  MemoryLogEngine engine;
  SteppedPool pool;
  const PartitionId partition{TopicId(7), 0};
  const std::shared_ptr<LagMeter> meter = std::make_shared<LagMeter>(engine, pool);
};

TEST_CASE("a group that waits for nothing has an age of zero and no headroom", "[groups]") {
  MeterRoom room;
  const LagMeter::Lag lag = room.Measure(0);
  CHECK(lag.age == absl::ZeroDuration());
  CHECK(lag.bytes == 0);
  CHECK_FALSE(lag.headroom.has_value());
  CHECK(lag.lost_events == 0);
}

TEST_CASE("a lag has an age, bytes, and what is left until retention takes it", "[groups]") {
  MeterRoom room;
  room.Append("four");
  room.engine.Advance(absl::Hours(20));
  room.Append("fourfour");
  room.engine.Advance(absl::Hours(1));
  SECTION("all of it waits") {
    const LagMeter::Lag lag = room.Measure(0);
    CHECK(lag.age == absl::Hours(21));
    CHECK(lag.headroom == absl::Hours(3));
    CHECK(lag.bytes == 12);
  }
  SECTION("the second waits") {
    const LagMeter::Lag lag = room.Measure(1);
    CHECK(lag.age == absl::Hours(1));
    CHECK(lag.headroom == absl::Hours(23));
    CHECK(lag.ahead_events == 1);
    CHECK(lag.bytes == 8);
  }
  SECTION("a queue keeps copies of what it looked at") {
    LagMeter::GroupPlaces queue{GroupId(2), 0, {}};
    queue.places.push_back({room.partition, Offset(0), Offset(1), kDay});
    const LagMeter::Lag lag = room.meter->Measure({queue}).front();
    CHECK(lag.age == absl::Hours(21));
    CHECK(lag.headroom == absl::Hours(23));
    queue.places[0].head = Offset(2);
    CHECK_FALSE(room.meter->Measure({queue}).front().headroom.has_value());
  }
  SECTION("retention is late") {
    room.engine.Advance(absl::Hours(10));
    CHECK(room.Measure(0).headroom == absl::ZeroDuration());
  }
  SECTION("the first was taken before it was read") {
    room.engine.TrimTo(room.partition, Offset(1));
    CHECK(room.Measure(0).lost_events == 1);
    CHECK(room.Measure(1).lost_events == 0);
  }
  SECTION("what is only on the disk is told once it was read") {
    room.engine.SetCachedReads(false);
    CHECK_FALSE(room.Measure(0).age.has_value());
    CHECK_FALSE(room.Measure(0).bytes.has_value());
    CHECK(room.pool.pending() == 1);  // However often it is asked.
    room.pool.Run();
    CHECK(room.Measure(0).age == absl::Hours(21));
    CHECK(room.Measure(0).bytes == 12);
    CHECK(room.pool.pending() == 0);
  }
}

TEST_CASE("a drain is estimated by the pace of the last minute", "[groups]") {
  DrainEstimate drain;
  CHECK(drain.Look(kStart, 0) == absl::ZeroDuration());
  CHECK_FALSE(drain.Look(kStart + absl::Seconds(10), 1000).has_value());  // It grew.
  DrainEstimate shrinks;
  CHECK_FALSE(shrinks.Look(kStart, 1000).has_value());
  CHECK(shrinks.Look(kStart + absl::Seconds(10), 900) == absl::Seconds(90));
  CHECK(shrinks.Look(kStart + absl::Seconds(20), 500) == absl::Seconds(20));
  // What was before the last minute does not count.
  for (int i = 3; i <= 10; ++i) shrinks.Look(kStart + absl::Seconds(10 * i), 500);
  CHECK_FALSE(shrinks.Look(kStart + absl::Seconds(110), 500).has_value());
  CHECK(shrinks.Look(kStart + absl::Seconds(120), 250) == absl::Seconds(60));
  CHECK(shrinks.Look(kStart + absl::Seconds(121), 0) == absl::ZeroDuration());
}

TEST_CASE("looks that come often do not shorten what an estimate is made of", "[groups]") {
  DrainEstimate drain;
  for (int i = 0; i <= 300; ++i) drain.Look(kStart + absl::Milliseconds(100 * i), 1000 - i);
  // Of 30 s, not of the last tenth of one.
  const auto left = drain.Look(kStart + absl::Seconds(30), 700);
  REQUIRE(left.has_value());
  CHECK(*left > absl::Seconds(69));
  CHECK(*left < absl::Seconds(71));
}

}  // namespace
}  // namespace acta
