// When what failed comes again, in numbers: nothing here asks Backoff what it would say.
#include <catch2/catch.hpp>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "server/core/delivery/partition_queue.h"

namespace acta {
namespace {

using Waits = std::vector<int64_t>;  // In milliseconds.

constexpr LeaseBounds kEverything = {std::numeric_limits<int64_t>::max(),
                                     std::numeric_limits<int64_t>::max()};

// Events that fail again and again, all of them each time they can.
struct FailingQueue {
  FailingQueue(const QueuePolicy& policy, size_t count, uint64_t seed = 1)
      : queue(policy, budget, seed), events(static_cast<int64_t>(count)) {
    queue.Load({}, {}, std::nullopt, now_us);
    queue.Scan(std::vector<EventFacts>(count), now_us);
  }
  // How long each has to wait, in microseconds.
  std::vector<int64_t> Fail(AttemptEnd end, const Nack& nack = {}) {
    std::vector<LeasedRun> runs;
    REQUIRE(queue.Lease(1, kEverything, now_us, &runs).events == events);
    if (end == AttemptEnd::kLeaseExpired) {
      now_us = runs.front().until_us;
      queue.Tick(now_us);
    }
    if (end == AttemptEnd::kMemberLost) queue.MemberGone(1, /*cleanly=*/false, now_us);
    std::vector<int64_t> waits;
    int64_t last_us = now_us;
    for (Offset offset; offset < Offset(events); offset = offset + 1) {
      if (end == AttemptEnd::kNack) queue.Fail(1, offset, nack, now_us);
      const int64_t due_us = queue.Parked(offset).value().due_us;
      waits.push_back(due_us - now_us);
      last_us = std::max(last_us, due_us);
    }
    now_us = last_us;
    return waits;
  }
  // Of one event, failure after failure.
  Waits WaitsOf(AttemptEnd end, size_t failures, const Nack& nack = {}) {
    Waits waits;
    for (size_t i = 0; i < failures; ++i) waits.push_back(Fail(end, nack).front() / 1000);
    return waits;
  }

  QueueBudget budget;
  PartitionQueue queue;
  const int64_t events;
  int64_t now_us = 5'000'000;
};

QueuePolicy WithoutJitter() {
  QueuePolicy policy;
  policy.max_attempts = 1000;
  policy.backoff.jitter = 0;
  return policy;
}

TEST_CASE("a retry waits the initial time, times the factor each time, up to the maximum") {
  QueuePolicy policy = WithoutJitter();
  SECTION("1 s, doubled up to 10 minutes, when nobody says anything") {
    FailingQueue failing(policy, 1);
    CHECK(failing.WaitsOf(AttemptEnd::kNack, 13) == Waits{1'000, 2'000, 4'000, 8'000, 16'000,
                                                          32'000, 64'000, 128'000, 256'000, 512'000,
                                                          600'000, 600'000, 600'000});
  }
  SECTION("100 ms, three times as long each time, up to 2 s") {
    policy.backoff = {absl::Milliseconds(100), 3, absl::Seconds(2), 0};
    FailingQueue failing(policy, 1);
    CHECK(failing.WaitsOf(AttemptEnd::kNack, 6) == Waits{100, 300, 900, 2'000, 2'000, 2'000});
  }
  SECTION("half as long again each time") {
    policy.backoff = {absl::Seconds(4), 1.5, absl::Seconds(14), 0};
    FailingQueue failing(policy, 1);
    CHECK(failing.WaitsOf(AttemptEnd::kNack, 6) ==
          Waits{4'000, 6'000, 9'000, 13'500, 14'000, 14'000});
  }
  SECTION("always as long") {
    policy.backoff = {absl::Seconds(3), 1, absl::Minutes(10), 0};
    FailingQueue failing(policy, 1);
    CHECK(failing.WaitsOf(AttemptEnd::kNack, 3) == Waits{3'000, 3'000, 3'000});
  }
  SECTION("the maximum from the first time on") {
    policy.backoff = {absl::Seconds(3), 2, absl::Seconds(1), 0};
    FailingQueue failing(policy, 1);
    CHECK(failing.WaitsOf(AttemptEnd::kNack, 2) == Waits{1'000, 1'000});
  }
  SECTION("30 days, when the powers are beyond what a number holds") {
    policy.backoff = {absl::Hours(24), 100, absl::Hours(24 * 30), 0};
    FailingQueue failing(policy, 1);
    const Waits waits = failing.WaitsOf(AttemptEnd::kNack, 999);
    CHECK(waits[0] == 86'400'000);
    CHECK(std::count(waits.begin() + 1, waits.end(), 2'592'000'000) == 998);
  }
}

// Also the maximum is moved by it: many that reached it do not come at one time.
TEST_CASE("jitter moves a wait by up to its part of it, each event's by itself") {
  constexpr std::pair<int64_t, int64_t> kBounds[] = {
      {800'000, 1'200'000},       {1'600'000, 2'400'000},     {3'200'000, 4'800'000},
      {6'400'000, 9'600'000},     {12'800'000, 19'200'000},   {25'600'000, 38'400'000},
      {51'200'000, 76'800'000},   {102'400'000, 153'600'000}, {204'800'000, 307'200'000},
      {409'600'000, 614'400'000}, {480'000'000, 720'000'000}, {480'000'000, 720'000'000},
  };
  QueuePolicy policy;
  policy.max_attempts = 100;
  FailingQueue failing(policy, 500);
  std::set<double> parts;  // Of its bounds where the first event was.
  for (const auto& [least, most] : kBounds) {
    const std::vector<int64_t> waits = failing.Fail(AttemptEnd::kNack);
    const auto [shortest, longest] = std::minmax_element(waits.begin(), waits.end());
    const int64_t tenth = (most - least) / 10;
    CHECK(*shortest >= least);
    CHECK(*shortest < least + tenth);
    CHECK(*longest <= most);
    CHECK(*longest > most - tenth);
    CHECK(std::set<int64_t>(waits.begin(), waits.end()).size() > 450);
    parts.insert(static_cast<double>(waits[0] - least) / static_cast<double>(most - least));
  }
  CHECK(parts.size() == std::size(kBounds));
  const auto first = [&](uint64_t seed) {
    return FailingQueue(policy, 500, seed).Fail(AttemptEnd::kNack);
  };
  CHECK(first(1) == first(1));
  CHECK(first(1) != first(2));
}

TEST_CASE("what nobody reported is tried again at once, and then waits as after a first failure") {
  const AttemptEnd end = GENERATE(AttemptEnd::kLeaseExpired, AttemptEnd::kMemberLost);
  FailingQueue failing(WithoutJitter(), 1);
  CHECK(failing.WaitsOf(end, 5) == Waits{0, 1'000, 2'000, 4'000, 8'000});
  CHECK(failing.WaitsOf(AttemptEnd::kNack, 1) == Waits{32'000});
}

TEST_CASE("a nack that names its delay waits exactly so long, whatever the backoff says") {
  QueuePolicy policy;
  policy.max_attempts = 100;
  FailingQueue failing(policy, 100);
  Nack nack;
  nack.delay = absl::Hours(2);
  CHECK(failing.Fail(AttemptEnd::kNack, nack) == std::vector<int64_t>(100, 7'200'000'000));
  nack.delay = absl::ZeroDuration();
  CHECK(failing.Fail(AttemptEnd::kNack, nack) == std::vector<int64_t>(100, 0));
  // They count as failures.
  const std::vector<int64_t> waits = failing.Fail(AttemptEnd::kNack);
  CHECK(*std::min_element(waits.begin(), waits.end()) >= 3'200'000);
  CHECK(*std::max_element(waits.begin(), waits.end()) <= 4'800'000);
}

TEST_CASE("a retry is not leased a microsecond before its time, and is when that comes") {
  FailingQueue failing(WithoutJitter(), 1);
  const int64_t failed_us = failing.now_us;
  failing.Fail(AttemptEnd::kNack);
  std::vector<LeasedRun> runs;
  CHECK(failing.queue.next_us() == failed_us + 1'000'000);
  CHECK(failing.queue.Lease(1, kEverything, failed_us + 999'999, &runs).events == 0);
  CHECK(failing.queue.Lease(1, kEverything, failed_us + 1'000'000, &runs).events == 1);
  CHECK(runs.front().attempt == 2);
}

}  // namespace
}  // namespace acta
