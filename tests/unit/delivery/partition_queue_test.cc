// Lives of a queue that random ones seldom come by.
#include "server/core/delivery/partition_queue.h"

#include <catch2/catch.hpp>

#include <limits>
#include <optional>
#include <vector>

namespace acta {
namespace {

constexpr int64_t kHour = int64_t{3600} * 1'000'000;

ParkedEvent Row(int64_t offset, ParkedEvent::State state, int64_t due_us, int32_t attempts,
                int32_t redrives) {
  ParkedEvent event;
  event.offset = Offset(offset);
  event.state = state;
  event.due_us = due_us;
  event.facts.key = 1;
  event.attempts = attempts;
  event.redrives = redrives;
  return event;
}

// A queue with order by key, all of whose events but these are settled.
class LoadedQueue {
 public:
  // `end` not set: nobody holds any.
  explicit LoadedQueue(const std::vector<ParkedEvent>& rows,
                       std::optional<Offset> end = std::nullopt)
      : queue(Policy(), budget, 1) {
    QueuePosition position;
    position.floor = position.head = Offset(10);
    queue.Load(position, rows, end, kHour);
  }
  static QueuePolicy Policy() {
    QueuePolicy policy;
    policy.order = QueueOrder::kKey;
    policy.on_exhausted = OnExhausted::kHoldKey;
    return policy;
  }
  // What a member gets, and has processed at once, durably.
  std::vector<int64_t> Work(int64_t now_us) {
    std::vector<LeasedRun> runs;
    queue.Lease(1, {10, std::numeric_limits<int64_t>::max()}, now_us, &runs);
    std::vector<int64_t> offsets;
    for (const LeasedRun& run : runs) {
      for (int32_t i = 0; i < run.count; ++i) {
        offsets.push_back((run.first + i).value());
        CHECK(queue.Ack(1, run.first + i) == SettleOutcome::kDone);
      }
    }
    Commit();
    return offsets;
  }
  void Commit() { queue.PassTurns(queue.TakeChanges().turns); }

  QueueBudget budget;
  PartitionQueue queue;
};

using Offsets = std::vector<int64_t>;

TEST_CASE("what is held keeps its key over a load, also from one before it that was redriven") {
  LoadedQueue loaded({Row(3, ParkedEvent::State::kRetryWait, 0, 0, 1),
                      Row(7, ParkedEvent::State::kHeld, 0, 10, 0)});
  CHECK(loaded.Work(kHour).empty());
  CHECK(loaded.queue.Count().held == 1);
  REQUIRE(loaded.queue.Skip(Offset(7)));
  loaded.Commit();
  CHECK(loaded.Work(kHour) == Offsets{3});
}

TEST_CASE("what waits behind a redriven one is not tried before its time, after a load") {
  LoadedQueue loaded({Row(3, ParkedEvent::State::kRetryWait, 0, 0, 1),
                      Row(7, ParkedEvent::State::kRetryWait, 2 * kHour, 1, 0)});
  CHECK(loaded.Work(kHour) == Offsets{3});
  CHECK(loaded.queue.next_us() == 2 * kHour);
  CHECK(loaded.Work(2 * kHour - 1).empty());
  CHECK(loaded.Work(2 * kHour) == Offsets{7});
}

TEST_CASE("what waits for its time is not held by who says so, what is due may be") {
  constexpr int64_t kSecond = 1'000'000;
  ParkedEvent later = Row(3, ParkedEvent::State::kRetryWait, 2 * kHour, 1, 0);
  ParkedEvent due = Row(4, ParkedEvent::State::kRetryWait, kHour - kSecond, 1, 0);
  due.facts.key = 2;
  LoadedQueue loaded({later, due}, Offset(10));
  PartitionQueue& queue = loaded.queue;
  queue.Tick(kHour);
  CHECK_FALSE(queue.Present(1, Offset(3), kHour + kSecond));
  CHECK(queue.Present(1, Offset(4), kHour + kSecond));
  CHECK(queue.states().leased == 1);
  CHECK(queue.states().retry_wait == 1);
}

TEST_CASE(
    "what a member has over a load is not taken from it by one of its key that was redriven") {
  constexpr int64_t kSecond = 1'000'000;
  // Before the scan, and after it in the two states that it can be in.
  const int order = GENERATE(0, 1, 2);
  const int64_t due_us = order == 1 ? kHour + kSecond : 0;
  LoadedQueue loaded({Row(3, ParkedEvent::State::kRetryWait, due_us, 0, 1)}, Offset(12));
  PartitionQueue& queue = loaded.queue;
  if (order == 2) queue.Tick(kHour);
  std::vector<EventFacts> events(2);
  for (EventFacts& facts : events) facts.key = 1;
  if (order == 0) CHECK(queue.Present(1, Offset(10), kHour));
  queue.Scan(events, kHour);
  if (order > 0) {
    CHECK_FALSE(queue.Present(1, Offset(11), kHour));  // 10 goes before it.
    CHECK(queue.Present(1, Offset(10), kHour));
  }
  CHECK(queue.holder(Offset(10)) == 1);
  CHECK_FALSE(queue.Present(1, Offset(3), kHour + 2 * kSecond));
  std::vector<LeasedRun> runs;
  CHECK(queue.Lease(2, {10, 1000}, kHour + 15 * kSecond, &runs).events == 0);
  CHECK(queue.Ack(1, Offset(10)) == SettleOutcome::kDone);
  loaded.Commit();
  CHECK(loaded.Work(kHour + 15 * kSecond) == Offsets{3});
  CHECK(loaded.Work(kHour + 15 * kSecond) == Offsets{11});
}

TEST_CASE("a retry that a member has over a load is not taken from it by what comes next") {
  QueuePolicy policy;
  policy.order = QueueOrder::kKeyRelaxed;
  QueueBudget budget;
  PartitionQueue queue(policy, budget, 1);
  QueuePosition position;
  position.floor = position.head = Offset(10);
  queue.Load(position, {Row(3, ParkedEvent::State::kRetryWait, 0, 1, 0)}, Offset(11), kHour);
  EventFacts next;
  next.key = 1;
  queue.Scan({&next, 1}, kHour);  // Another member has come before.
  CHECK(queue.Present(1, Offset(3), kHour));
  CHECK_FALSE(queue.Present(2, Offset(10), kHour));
  CHECK(queue.holder(Offset(3)) == 1);
  constexpr int64_t kLater = kHour + 15'000'000;
  std::vector<LeasedRun> runs;
  CHECK(queue.Lease(2, {10, 1000}, kLater, &runs).events == 0);
  CHECK(queue.Ack(1, Offset(3)) == SettleOutcome::kDone);
  queue.PassTurns(queue.TakeChanges().turns);
  CHECK(queue.Lease(2, {10, 1000}, kLater, &runs).events == 1);
  CHECK(queue.holder(Offset(10)) == 2);
}

TEST_CASE("what expired while it waits is not held by who says so, also before that is settled") {
  constexpr int64_t kSecond = 1'000'000;
  ParkedEvent waits = Row(3, ParkedEvent::State::kRetryWait, 2 * kHour, 1, 0);
  waits.facts.expires_us = kHour + kSecond;
  LoadedQueue loaded({waits}, Offset(10));
  PartitionQueue& queue = loaded.queue;
  queue.Tick(kHour + 2 * kSecond);
  CHECK_FALSE(queue.Present(1, Offset(3), kHour + 3 * kSecond));
  std::vector<LeasedRun> runs;
  CHECK(queue.Lease(1, {1, 1}, kHour + 11 * kSecond, &runs).events == 0);
  CHECK(loaded.budget.tally.expired == 1);
}

TEST_CASE("what a member has over a load stays its own, also when it expired meanwhile") {
  QueueBudget budget;
  PartitionQueue queue(QueuePolicy(), budget, 1);
  queue.Load({}, {}, Offset(2), kHour);
  std::vector<EventFacts> events(2);
  for (EventFacts& facts : events) facts.expires_us = kHour - 1;
  const bool scanned_before = GENERATE(false, true);
  if (!scanned_before) CHECK(queue.Present(1, Offset(0), kHour));
  queue.Scan(events, kHour);
  if (scanned_before) CHECK(queue.Present(1, Offset(0), kHour));
  CHECK(queue.holder(Offset(0)) == 1);
  CHECK(queue.Ack(1, Offset(0)) == SettleOutcome::kDone);
  // The other one nobody has, and nobody gets.
  std::vector<LeasedRun> runs;
  CHECK(queue.Lease(2, {10, 1000}, kHour + 10'000'000, &runs).events == 0);
  CHECK(budget.tally.acked == 1);
  CHECK(budget.tally.expired == 1);
}

TEST_CASE("what happens to events is counted by outcome") {
  LoadedQueue loaded({Row(3, ParkedEvent::State::kRetryWait, 0, 1, 0)});
  PartitionQueue& queue = loaded.queue;
  queue.Scan(std::vector<EventFacts>(6), kHour);
  std::vector<LeasedRun> runs;
  const LeaseBounds all = {100, std::numeric_limits<int64_t>::max()};
  CHECK(queue.Lease(1, all, kHour, &runs).events == 7);
  CHECK(queue.states().leased == 7);
  CHECK(loaded.budget.tally.redelivered == 1);
  CHECK(queue.Ack(1, Offset(3)) == SettleOutcome::kDone);
  CHECK(queue.Ack(1, Offset(3)) == SettleOutcome::kAlreadySettled);
  CHECK(queue.Fail(1, Offset(10), {}, kHour) == SettleOutcome::kDone);
  CHECK(queue.Reject(1, Offset(11), {}, kHour) == SettleOutcome::kDone);
  CHECK(queue.Release(1, Offset(12)) == SettleOutcome::kDone);
  CHECK(queue.Extend(1, Offset(13), absl::Hours(1), kHour) == SettleOutcome::kDone);
  queue.Tick(kHour + absl::ToInt64Microseconds(absl::Minutes(1)));
  queue.MemberGone(1, false, kHour);
  const QueueTally& tally = loaded.budget.tally;
  CHECK(tally.acked == 1);
  CHECK(tally.released == 1);
  const auto failed = [&](AttemptEnd end) { return tally.failed[static_cast<size_t>(end)]; };
  CHECK(failed(AttemptEnd::kNack) == 1);
  CHECK(failed(AttemptEnd::kReject) == 1);
  CHECK(failed(AttemptEnd::kLeaseExpired) == 2);
  CHECK(failed(AttemptEnd::kMemberLost) == 1);
  CHECK(tally.dead_lettered[static_cast<size_t>(DeadLetterReason::kRejected)] == 1);
  CHECK(tally.dead_lettered[static_cast<size_t>(DeadLetterReason::kAttemptsExhausted)] == 0);
  CHECK(queue.states() == PartitionQueue::States(queue.Count()));
}

}  // namespace
}  // namespace acta
