// What all partitions of a QUEUE group share: how much may be parked or a dead letter.
#include "storage/layout/rows.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

using Kind = QueueSettlement::Kind;

// A group that the registry does not know, and its one member.
struct SharedBudget {
  explicit SharedBudget(const QueueBudget& budget, int32_t partitions = 2)
      : room({}, partitions), queue(Make(budget)) {
    for (int32_t number = 0; number < partitions; ++number) Add(*queue, number, 0);
    queue->Join(1, {}, [] {});
  }
  std::shared_ptr<GroupQueue> Make(const QueueBudget& budget) {
    return GroupQueue::Make({room.engine, room.pool, room.timer}, GroupId(98), {}, budget);
  }
  // From the beginning, after so many resets.
  storage::v1::PositionRecord Record(int64_t resets) const {
    storage::v1::PositionRecord record;
    record.set_generation(resets);
    return record;
  }
  void Add(GroupQueue& to, int32_t partition, int64_t resets) {
    to.Add({room.Id(partition), Record(resets), {}, false});
  }
  int64_t Take(int64_t most = 100) {
    std::vector<QueueDelivery> out;
    std::vector<QueueProblem> problems;
    const int64_t taken = queue->Take(1, {most, 1 << 20}, &out, &problems).events;
    CHECK(problems.empty());
    return taken;
  }
  // The first event of a partition.
  void Settle(Kind kind, int32_t partition, std::optional<absl::Duration> delay = std::nullopt) {
    QueueSettlement one;
    one.partition = room.Id(partition);
    one.kind = kind;
    one.delay = delay;
    CHECK(queue->Settle(1, {&one, 1}, [](const absl::Status&) {}).empty());
    room.Run();
  }
  void RejectInStep(int32_t partition) {
    QueueStep step;
    step.runs.push_back({1, room.Id(partition), Offset(0)});
    step.runs[0].failed = AttemptEnd::kReject;
    step.done = [](const TransactionResult&) {};
    CHECK(queue->SettleStep(std::move(step)).empty());
    room.Run();
  }
  storage::v1::DeadLetterRecord Letter() const {
    storage::v1::DeadLetterRecord letter;
    letter.set_attempts(1);
    return letter;
  }
  int64_t Letters() { return queue->Measure().dead_letters; }

  QueueRoom room;
  std::shared_ptr<GroupQueue> queue;
};

TEST_CASE("partitions that too many parked ones stopped go on when one of another goes",
          "[queue]") {
  QueueBudget budget;
  budget.max_parked = 1;
  SharedBudget group(budget);
  group.room.Publish(0, {"a"});
  REQUIRE(group.Take() == 1);
  group.Settle(Kind::kNack, 0, absl::Hours(1));
  group.room.Publish(1, {"b"});
  group.room.Run();
  REQUIRE(group.Take() == 0);
  SECTION("because it is processed") {
    group.room.Advance(absl::Hours(1));
    REQUIRE(group.Take() == 1);
    group.Settle(Kind::kAck, 0);
  }
  SECTION("because it is skipped") {
    CHECK(group.queue->Skip(group.room.Id(0), {Offset(0), Offset(1)}) == 1);
  }
  SECTION("because its partition is taken out") {
    CHECK(group.queue->Detach(group.room.Id(0)).has_value());
  }
  SECTION("because its partition is reset") {
    group.queue->Leave(1, true);
    storage::v1::PositionRecord behind = group.Record(1);
    behind.set_offset(1);
    REQUIRE(group.queue->Detach(group.room.Id(0)).has_value());
    group.queue->Add({group.room.Id(0), behind, {}, false});
    group.queue->Join(1, {}, [] {});
  }
  CHECK(group.Take() == 1);
}

TEST_CASE("partitions that too many dead letters stopped go on when one of another goes",
          "[queue]") {
  QueueBudget budget;
  budget.max_dead_letters = 1;
  SharedBudget group(budget);
  group.room.Publish(0, {"a"});
  group.room.Publish(1, {"b"});
  REQUIRE(group.Take(1) == 1);
  group.Settle(Kind::kReject, 0);
  REQUIRE(group.Take() == 0);
  SECTION("because it is redriven") {
    const auto letter = group.Letter();
    CHECK(group.queue->Redrive({group.room.Id(0), Offset(0), &letter}));
    CHECK(group.Take() == 2);
  }
  SECTION("because it is discarded") {
    group.queue->Discard(group.room.Id(0), Offset(0), group.Letter());
    CHECK(group.Take() == 1);
  }
  SECTION("because its partition is gone") {
    CHECK(group.queue->Detach(group.room.Id(0)).has_value());
    REQUIRE(group.Take() == 0);
    group.queue->LettersGone(1);
    CHECK(group.Take() == 1);
  }
}

TEST_CASE("a dead letter that is being redriven is none, although its row is there still",
          "[queue]") {
  SharedBudget group(QueueBudget{});
  group.room.Publish(0, {"a"});
  REQUIRE(group.Take(1) == 1);
  group.Settle(Kind::kReject, 0);
  const auto letter = group.Letter();
  const LetterToRedrive place = {group.room.Id(0), Offset(0), &letter};
  CHECK(group.Letters() == 1);
  group.room.engine.HoldDone();
  REQUIRE(group.queue->Redrive(place));
  CHECK_FALSE(group.queue->Discard(group.room.Id(0), Offset(0), letter));
  CHECK(group.Letters() == 0);
  REQUIRE(group.Take() == 1);
  group.Settle(Kind::kAck, 0);
  CHECK_FALSE(group.queue->Redrive(place));
  for (int i = 0; i < 5; ++i) {
    group.room.engine.ReleaseDone();
    group.room.Run();
  }
  CHECK(group.Take() == 0);
  CHECK(group.Letters() == 0);
  CHECK(group.room.Rows("deadletter/") == 0);
}

}  // namespace
}  // namespace acta
