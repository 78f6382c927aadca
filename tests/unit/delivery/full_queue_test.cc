// What is full stops what it has to stop, and nothing else.
#include <catch2/catch.hpp>

#include <algorithm>
#include <limits>
#include <vector>

#include "server/core/delivery/partition_queue.h"

namespace acta {
namespace {

constexpr int64_t kNow = 1'000'000;
constexpr int64_t kInAnHour = kNow + int64_t{3600} * 1'000'000;
constexpr uint64_t kMember = 1;

// A queue whose member takes all there is.
struct GreedyQueue {
  explicit GreedyQueue(QueueBudget& budget, const QueuePolicy& policy = {})
      : queue(policy, budget, 1) {
    queue.Load({}, {}, std::nullopt, kNow);
  }
  void Scan(int64_t events) {
    REQUIRE(queue.Room() >= events);
    queue.Scan(std::vector<EventFacts>(static_cast<size_t>(events)), kNow);
  }
  int64_t Lease(int64_t now_us = kNow) {
    std::vector<LeasedRun> runs;
    constexpr int64_t kAll = std::numeric_limits<int64_t>::max();
    return queue.Lease(kMember, {kAll, kAll}, now_us, &runs).events;
  }
  bool Ack(int64_t offset) { return queue.Ack(kMember, Offset(offset)) == SettleOutcome::kDone; }
  // It failed, and comes again in an hour.
  bool Postpone(int64_t offset) {
    Nack nack;
    nack.delay = absl::Hours(1);
    return queue.Fail(kMember, Offset(offset), nack, kNow) == SettleOutcome::kDone;
  }
  bool Reject(int64_t offset) {
    return queue.Reject(kMember, Offset(offset), {}, kNow) == SettleOutcome::kDone;
  }

  PartitionQueue queue;
};

TEST_CASE("20,000 outstanding events stop the scan, acks go on and make room") {
  QueueBudget budget;
  GreedyQueue full(budget);
  full.Scan(19'999);
  CHECK(full.queue.Room() == 1);
  full.Scan(1);
  CHECK(full.queue.Room() == 0);
  CHECK(full.Lease() == 20'000);
  CHECK(full.queue.Room() == 0);
  SECTION("each ack makes room for one") {
    CHECK(full.Ack(7'000));
    CHECK(full.queue.Room() == 1);
    full.Scan(1);
    CHECK(full.queue.Room() == 0);
    CHECK(full.Lease() == 1);
    int64_t acked = 0;
    for (int64_t offset = 0; offset < 20'001; ++offset) acked += full.Ack(offset);
    CHECK(acked == 20'000);
    CHECK(full.queue.Room() == 20'000);
    CHECK(full.queue.position() == QueuePosition{Offset(20'001), Offset(20'001), {}});
  }
  SECTION("what is parked or a dead letter has left it, and what is given back has not") {
    CHECK(full.queue.Release(kMember, Offset(5)) == SettleOutcome::kDone);
    CHECK(full.queue.Room() == 0);
    CHECK(full.Postpone(6));
    CHECK(full.Reject(7));
    CHECK(full.queue.Room() == 2);
  }
}

TEST_CASE("4,096 runs of outstanding events stop the scan, acks go on and make room") {
  QueueBudget budget;
  GreedyQueue full(budget);
  full.Scan(10'000);
  REQUIRE(full.Lease() == 10'000);
  // Every second one: each ack makes two runs of one.
  for (int64_t offset = 1; offset <= 2 * 4'095 - 1; offset += 2) {
    REQUIRE(full.queue.Room() > 0);
    REQUIRE(full.Ack(offset));
  }
  CHECK(full.queue.position().outstanding.size() == 4'096);
  CHECK(full.queue.Room() == 0);
  // Also those that make more of them.
  CHECK(full.Ack(9'001));
  CHECK(full.queue.position().outstanding.size() == 4'097);
  CHECK(full.queue.Room() == 0);
  CHECK(full.Ack(0));
  CHECK(full.queue.Room() == 0);
  CHECK(full.Ack(2));
  CHECK(full.queue.position().outstanding.size() == 4'095);
  CHECK(full.queue.Room() == 14'098);
}

TEST_CASE("100,000 parked events of all partitions stop the scan, acks go on and make room") {
  QueueBudget budget;
  GreedyQueue full(budget), other(budget);
  other.Scan(2);
  REQUIRE(other.Lease() == 2);
  int64_t parked = 0;
  for (int64_t end = 20'000; end <= 100'000; end += 20'000) {
    full.Scan(20'000);
    REQUIRE(full.Lease() == 20'000);
    const int64_t all_but_one = std::min<int64_t>(end, 99'999);
    for (; parked < all_but_one; ++parked) REQUIRE(full.Postpone(parked));
  }
  CHECK(budget.parked == 99'999);
  CHECK(full.queue.Room() == 19'999);
  CHECK(other.queue.Room() == 19'998);
  full.Scan(10);
  REQUIRE(full.Lease() == 10);
  CHECK(full.Postpone(99'999));
  CHECK(budget.parked == 100'000);
  CHECK(full.queue.Room() == 0);
  CHECK(other.queue.Room() == 0);
  // What was leased is settled, also when that parks more than fit.
  for (int64_t offset = 100'000; offset < 100'010; ++offset) CHECK(full.Ack(offset));
  CHECK(other.Ack(0));
  CHECK(other.Postpone(1));
  CHECK(budget.parked == 100'001);
  CHECK(full.queue.Room() == 0);
  // What is parked comes when it is due, and its acks make room for all partitions.
  CHECK(full.Lease(kInAnHour) == 100'000);
  CHECK(full.Ack(5));
  CHECK(other.queue.Room() == 0);
  CHECK(full.Ack(6));
  CHECK(budget.parked == 99'999);
  CHECK(other.queue.Room() == 20'000);
  CHECK(full.queue.Room() == 20'000);
}

TEST_CASE("as many dead letters as may be stop the leases of all partitions, acks go on") {
  QueueBudget budget;
  budget.max_dead_letters = 2;
  GreedyQueue full(budget), other(budget);
  full.Scan(10);
  REQUIRE(full.Lease() == 10);
  other.Scan(10);
  CHECK(full.Reject(0));
  CHECK(full.Postpone(1));
  CHECK(full.Reject(2));
  CHECK(other.Lease() == 0);
  CHECK(full.Ack(3));
  CHECK(full.Reject(4));
  CHECK(budget.dead_letters == 3);
  CHECK(other.queue.Room() == 19'990);  // They are looked at.
  other.Scan(5);
  --budget.dead_letters;
  CHECK(other.Lease() == 0);
  --budget.dead_letters;
  CHECK(other.Lease() == 15);
}

}  // namespace
}  // namespace acta
