#include "server/core/journeys/pool_help.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <random>

#include "server/exec/asio_pool.h"
#include "tests/unit/journeys/journey_room.h"

namespace acta {
namespace {

TEST_CASE("work is done once each, whether the pool has time or not") {
  for (const size_t count : {size_t{0}, size_t{1}, size_t{2}, size_t{1000}}) {
    std::vector<std::atomic<int>> done(count);
    const auto work = [&](size_t i) { ++done[i]; };
    const auto all_once = [&] {
      return std::all_of(done.begin(), done.end(), [](const auto& one) { return one == 1; });
    };
    SECTION("it has none: " + std::to_string(count)) {
      SteppedExecutor pool;
      RunWithHelp(pool, count, work);
      CHECK(all_once());
      pool.RunAll();  // Those that come late do nothing.
      CHECK(all_once());
    }
    SECTION("it has threads: " + std::to_string(count)) {
      AsioPool pool(4);
      RunWithHelp(pool, count, work);
      CHECK(all_once());
    }
  }
}

TEST_CASE("places are the same however many look for them") {
  JourneyRoom room;
  room.CreateTopic("a", 4);
  std::mt19937_64 random(1);
  for (int i = 0; i < 400; ++i) {
    room.Publish("a", static_cast<int32_t>(random() % 4),
                 {JourneyRoom::Event("e" + std::to_string(random() % 100))});
  }
  REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  std::vector<uint64_t> hashes;
  for (int i = 0; i < 200; ++i) {
    hashes.push_back(LinkHash(*room.engine, LinkKind::kId, "e" + std::to_string(i)));
  }
  // Also when not all of them fit: what the index keeps beyond that is bounded.
  for (const size_t most : {size_t{1000}, size_t{10}}) {
    IndexPlaces alone({PartitionId(), Offset(0)}, most);
    REQUIRE_OK(room.indexer->Find(hashes, &alone));
    AsioPool pool(4);
    auto helped = FindPlaces(*room.indexer, pool, hashes, {PartitionId(), Offset(0)}, most);
    REQUIRE_OK(helped.status());
    CHECK(helped->Take() == alone.Take());
    CHECK(helped->cut() == alone.cut());
    CHECK(alone.cut() == (most < 400));
  }
}

// Counts the hashes that it is asked for, and how often.
class CountedIndex final : public MemoryLogEngine {
 public:
  absl::Status FindInIndex(std::vector<uint64_t> hashes, IndexPlaces* out) const override {
    asked_for += hashes.size();
    ++calls;
    return MemoryLogEngine::FindInIndex(std::move(hashes), out);
  }
  mutable std::atomic<size_t> asked_for = 0;
  mutable std::atomic<size_t> calls = 0;
};

void LookFor(const std::vector<uint64_t>& hashes, CountedIndex* engine) {
  const SystemClock clock;
  TopicRegistry topics(*engine, TopicLimits());
  const JourneyIndexer indexer(*engine, clock, topics, JourneyLimits());
  SteppedExecutor pool;
  REQUIRE_OK(FindPlaces(indexer, pool, hashes, {PartitionId(), Offset(0)}, 1'000).status());
}

TEST_CASE("a text is looked for once, however many events have it") {
  CountedIndex engine;
  const std::vector<uint64_t> hashes(2'000, LinkHash(engine, LinkKind::kCause, "a"));
  LookFor(hashes, &engine);
  CHECK(engine.asked_for == 1);
}

TEST_CASE("many texts are looked for in as many parts as there are who look") {
  CountedIndex engine;
  std::vector<uint64_t> hashes;
  for (int i = 0; i < 2'000; ++i) {
    hashes.push_back(LinkHash(engine, LinkKind::kCause, std::to_string(i)));
  }
  LookFor(hashes, &engine);
  CHECK(engine.asked_for == 2'000);
  CHECK(engine.calls == 4);
}

}  // namespace
}  // namespace acta
