#include <catch2/catch.hpp>

#include <algorithm>
#include <functional>
#include <set>

#include "storage/base/mutex.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/journeys/journey_room.h"

namespace acta {
namespace {

// Knows what was begun and not read yet. Nothing is in its memory.
class BegunEngine final : public MemoryLogEngine {
 public:
  struct Seen {
    size_t begun = 0;
    size_t twice = 0;  // Begun again while it was, or when it had been read.
    size_t most_waiting = 0;
    size_t waiting = 0;
  };

  BegunEngine() { SetCachedReads(false); }

  // From now on; `on_begin` is told how many were begun.
  void Watch(std::function<void(size_t)> on_begin = nullptr) {
    MutexLock lock(mu_);
    watched_ = true;
    on_begin_ = std::move(on_begin);
  }
  Seen seen() const {
    MutexLock lock(mu_);
    return seen_;
  }

  void BeginRead(PartitionId partition, Offset offset) const override {
    MutexLock lock(mu_);
    ++seen_.begun;
    seen_.twice += known_.insert({partition, offset}).second ? 0 : 1;
    waiting_.insert({partition, offset});
    seen_.waiting = waiting_.size();
    seen_.most_waiting = std::max(seen_.most_waiting, waiting_.size());
    if (on_begin_) on_begin_(seen_.begun);
  }
  absl::StatusOr<std::vector<BatchPtr>> Read(PartitionId partition, Offset from,
                                             size_t max_bytes) const override {
    {
      MutexLock lock(mu_);
      if (watched_) known_.insert({partition, from});
      waiting_.erase({partition, from});
      seen_.waiting = waiting_.size();
    }
    return MemoryLogEngine::Read(partition, from, max_bytes);
  }

 private:
  using Place = std::pair<PartitionId, Offset>;

  mutable Mutex mu_;
  bool watched_ ABSL_GUARDED_BY(mu_) = false;  // The indexer reads before.
  std::function<void(size_t)> on_begin_ ABSL_GUARDED_BY(mu_);
  mutable std::set<Place> known_ ABSL_GUARDED_BY(mu_);
  mutable std::set<Place> waiting_ ABSL_GUARDED_BY(mu_);
  mutable Seen seen_ ABSL_GUARDED_BY(mu_);
};

constexpr int kJourneyBatches = 200;

// A journey of so many batches.
struct LongJourney {
  LongJourney() {
    room.CreateTopic("orders");
    for (int i = 0; i < kJourneyBatches; ++i) {
      room.Publish("orders", i % 2, {JourneyRoom::Event("e" + std::to_string(i), "j")});
    }
    REQUIRE(room.indexer->CatchUp(absl::Seconds(20)));
  }
  BegunEngine& engine() { return static_cast<BegunEngine&>(*room.engine); }

  JourneyRoom room{{}, std::make_unique<BegunEngine>()};
};

TEST_CASE("the batches of a journey are begun before they are read, each once, 16 at a time") {
  LongJourney journey;
  const FakeClock clock;  // There is time for all of it.
  const Journeys journeys = journey.room.JourneysBy(clock);
  journey.engine().Watch();
  auto request = JourneyRoom::ByCorrelation("j");
  request.set_page_size(1'000);
  const auto got = journeys.Get(journey.room.caller, request);
  REQUIRE_OK(got.status());
  CHECK(got->events_size() == kJourneyBatches);
  const BegunEngine::Seen seen = journey.engine().seen();
  // All but the first of each time that it looks ahead.
  CHECK(seen.begun > kJourneyBatches * 9 / 10);
  CHECK(seen.twice == 0);
  CHECK(seen.most_waiting == 16);
  CHECK(seen.waiting == 0);
}

TEST_CASE("nothing is begun when the time of a call is over") {
  LongJourney journey;
  FakeClock clock;
  const Journeys journeys = journey.room.JourneysBy(clock);
  journey.engine().Watch([&](size_t begun) {
    if (begun == 20) clock.Advance(absl::Hours(1));
  });
  auto request = JourneyRoom::ByCorrelation("j");
  request.set_page_size(1'000);
  const auto got = journeys.Get(journey.room.caller, request);
  REQUIRE_OK(got.status());
  CHECK(got->events_size() > 0);
  CHECK(got->events_size() < kJourneyBatches);
  CHECK(journey.engine().seen().begun == 20);
}

}  // namespace
}  // namespace acta
