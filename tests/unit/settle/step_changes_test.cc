// Steps in flight while their group is changed.
#include <atomic>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "storage/layout/rows.h"
#include "tests/unit/settle/step_room.h"

namespace acta {
namespace {

// A group that the registry does not know, with three events that member 1 holds, the first of them
// in a step that is written and not durable yet.
struct InFlight {
  // `failed`: how the event fails in the step; not set: it is processed.
  explicit InFlight(std::optional<AttemptEnd> failed = std::nullopt) {
    room.PublishNumbers(0, 3);
    queue->Add({room.Id(0), {}, {}, false});
    queue->Join(1, {}, [] {});
    REQUIRE(Take(1) == 3);
    room.engine.HoldDone();
    REQUIRE(Step(0, failed).empty());
    REQUIRE(room.engine.held() == 1);
  }
  int64_t Take(uint64_t member) {
    std::vector<QueueDelivery> out;
    std::vector<QueueProblem> problems;
    queue->Take(member, {100, 10'000}, &out, &problems);
    int64_t events = 0;
    for (const QueueDelivery& delivery : out) events += delivery.count;
    return events;
  }
  std::vector<SettleFailure> Step(int64_t offset, std::optional<AttemptEnd> failed = std::nullopt) {
    QueueStep step;
    step.runs.push_back({1, room.Id(0), Offset(offset)});
    step.runs.back().failed = failed;
    step.done = [this](const TransactionResult& result) { durable += result.status.ok(); };
    return queue->SettleStep(std::move(step));
  }
  // One that settles nothing and writes a row.
  bool EmptyStep(int number) {
    QueueStep step;
    step.rows.push_back({Family::kState, absl::StrCat("step", number), "row"});
    step.done = [this](const TransactionResult& result) { durable += result.status.ok(); };
    return queue->SettleStep(std::move(step)).empty();
  }
  // Who waits for the disk may be there before the step is answered.
  int Answered(int steps) {
    for (int tries = 0; durable < steps && tries < 10'000; ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return durable;
  }
  // Ends when the step can.
  void Release() {
    CHECK(durable == 0);
    room.engine.ReleaseDone();
  }

  StepRoom room;
  const std::shared_ptr<GroupQueue> queue =
      GroupQueue::Make({room.engine, room.pool, room.timer}, GroupId(99), {}, {});
  std::atomic<int> durable = 0;
};

TEST_CASE("a partition is taken out of a queue when the steps with its events have ended",
          "[step]") {
  InFlight group;
  std::optional<GroupQueue::Start> start;
  std::thread change([&] { start = group.queue->Detach(group.room.Id(0)); });
  // What nobody has is refused for another reason as long as the partition does not go.
  int64_t looks = 0;
  SettleOutcome outcome = SettleOutcome::kNeverLeased;
  for (; outcome == SettleOutcome::kNeverLeased && looks < 10'000; ++looks) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::vector<SettleFailure> of_nobody = group.Step(77);
    outcome = of_nobody.empty() ? SettleOutcome::kDone : of_nobody[0].outcome;
  }
  const std::vector<SettleFailure> refused = group.Step(1);
  group.Release();
  change.join();
  group.queue->WaitQuiet().IgnoreError();
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].outcome == SettleOutcome::kLeaseLost);
  REQUIRE(start.has_value());
  CHECK(start->record.offset() == 1);
  CHECK(group.Answered(1) == 1);
  const auto counts = group.queue->Measure().refused;
  CHECK(counts[static_cast<size_t>(SettleOutcome::kNeverLeased)] == looks - 1);
  CHECK(counts[static_cast<size_t>(SettleOutcome::kLeaseLost)] == 2);
}

TEST_CASE("what a member leaves behind while a step is written does not undo the step", "[step]") {
  InFlight group;
  group.queue->Settle(1, std::vector<QueueSettlement>{{group.room.Id(0), Offset(1)}},
                      [](const absl::Status&) {});
  group.queue->Leave(1, /*cleanly=*/false);
  group.Release();
  group.queue->WaitQuiet().IgnoreError();
  CHECK(group.Answered(1) == 1);
  const auto rows =
      group.room.engine.LoadRows(Family::kState, PositionRow(GroupId(99), group.room.Id(0)));
  REQUIRE(rows->size() == 1);
  storage::v1::PositionRecord stored;
  REQUIRE(stored.ParseFromString(rows->front().second));
  CHECK(stored.offset() == 3);
}

TEST_CASE("an event that retention parks while a step settles it is as the step has it", "[step]") {
  const std::optional<AttemptEnd> failed =
      GENERATE(std::optional<AttemptEnd>(), std::optional(AttemptEnd::kNack),
               std::optional(AttemptEnd::kReject));
  InFlight group(failed);
  const PartitionId partition = group.room.Id(0);
  absl::Status kept;
  std::thread retention([&] { kept = group.queue->KeepCopies(partition, Offset(1)); });
  // A floor behind the event: it is parked.
  while (group.queue->Look(partition)->record.offset() == 0) std::this_thread::yield();
  group.queue->Join(2, {}, [] {});
  group.queue->Leave(2, /*cleanly=*/true);
  group.Release();
  retention.join();
  CHECK_OK(kept);
  CHECK_OK(group.queue->WaitQuiet());
  CHECK(group.Answered(1) == 1);
  const bool waits = failed == AttemptEnd::kNack, dead = failed == AttemptEnd::kReject;
  const auto parked = group.room.engine.LoadRows(Family::kState, kParkedRows);
  REQUIRE(parked->size() == (waits ? 1 : 0));
  CHECK(group.room.Rows(kDeadLetterRows) == (dead ? 1 : 0));
  CHECK(group.room.Rows(kKeptRows) == (waits || dead ? 1 : 0));
  if (!waits) return;
  storage::v1::ParkedRecord record;
  REQUIRE(record.ParseFromString(parked->front().second));
  CHECK(record.attempts() == 1);
}

TEST_CASE("who waits for what changed waits for all steps, however many writes they take",
          "[step]") {
  InFlight group;
  group.room.engine.ReleaseDone();
  REQUIRE(group.durable == 1);
  group.room.engine.HoldDone();
  for (int64_t offset = 1; offset < 3; ++offset) REQUIRE(group.Step(offset).empty());
  for (int i = 0; i < 200; ++i) REQUIRE(group.EmptyStep(i));
  size_t written = 0;
  std::thread wait([&] {
    group.queue->WaitQuiet().IgnoreError();
    written = group.room.engine.LoadRows(Family::kState, "step")->size();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  group.room.engine.ReleaseDone();
  wait.join();
  CHECK(written == 200);
  CHECK(group.Answered(203) == 203);
}

TEST_CASE("all steps are answered when nothing can be written any more, however many wait",
          "[step]") {
  InFlight group;
  int told = 0;
  for (int i = 0; i < 200; ++i) {
    QueueStep step;
    step.rows.push_back({Family::kState, absl::StrCat("step", i), "row"});
    step.done = [&told](const TransactionResult& result) {
      told += ReasonOf(result.status) == v1::SERVER_STOPPING;
    };
    REQUIRE(group.queue->SettleStep(std::move(step)).empty());
  }
  group.room.engine.FailNextSubmit(Error(v1::SERVER_STOPPING, "it stops"));
  group.room.engine.ReleaseDone();
  group.room.Run();
  CHECK(group.durable == 1);
  CHECK(told == 200);
}

TEST_CASE("the order of a queue changes when the steps of members that are gone have ended",
          "[step]") {
  InFlight group;
  group.queue->Leave(1, /*cleanly=*/true);
  QueuePolicy policy;
  policy.order = QueueOrder::kKey;
  std::atomic<bool> changed = false;
  std::thread change([&] {
    group.queue->SetPolicy(policy, 1000).IgnoreError();
    changed = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK_FALSE(changed);
  group.Release();
  change.join();
  CHECK(group.Answered(1) == 1);
  group.queue->Join(2, {}, [] {});
  CHECK(group.Take(2) == 2);
  CHECK(group.queue->Measure().tally.acked == 1);
}

}  // namespace
}  // namespace acta
