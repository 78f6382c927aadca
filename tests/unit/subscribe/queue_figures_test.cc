// What a scrape is told of a QUEUE group.
#include "proto/support/proto_time.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

GroupRegistry::Figures GroupFiguresOf(const QueueRoom& room) {
  const std::vector<GroupRegistry::Figures> all = room.groups.Measure();
  REQUIRE(all.size() == 1);
  CHECK(all[0].group == "workers");
  return all[0];
}
GroupQueue::Figures FiguresOf(const QueueRoom& room) { return *GroupFiguresOf(room).queue; }
std::optional<absl::Duration> AgeOf(const QueueRoom& room) { return GroupFiguresOf(room).lag.age; }

// Counts who asks for the time: who looks at a partition of a queue does.
class AskedForTime final : public MemoryLogEngine {
 public:
  absl::Time Now() const override {
    ++asked;
    return MemoryLogEngine::Now();
  }
  mutable int asked = 0;
};

int64_t Refused(const GroupQueue::Figures& figures, SettleOutcome outcome) {
  return figures.refused[static_cast<size_t>(outcome)];
}

TEST_CASE("a scrape is told what is outstanding, as the lag is", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(5), 2);
  room.PublishNumbers(0, 6);
  room.PublishNumbers(1, 3);
  CHECK(GroupFiguresOf(room).lag.ahead_events == 9);
  CHECK(GroupFiguresOf(room).lag_events == 9);
  Client& client = room.Work(7);
  REQUIRE(client.sink.leased.size() == 7);
  client.Ack(client.sink.leased[0]);
  client.Nack(client.sink.leased[1]);
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased[2]);
  room.Run();
  const GroupRegistry::Figures group = GroupFiguresOf(room);
  const GroupQueue::Figures& figures = *group.queue;
  CHECK(group.members == 1);
  CHECK(group.lag_events == 7);
  CHECK(figures.states.leased == 4);
  CHECK(figures.states.retry_wait == 1);
  CHECK(figures.states.ready + group.lag.ahead_events == 2);
  CHECK(figures.dead_letters == 1);
  CHECK(figures.max_dead_letters == 100'000);
  v1::QueueLag sum;
  for (int32_t partition = 0; partition < 2; ++partition) {
    const v1::QueueLag lag = room.Lag("workers", partition).queue();
    sum.set_leased(sum.leased() + lag.leased());
    sum.set_ready(sum.ready() + lag.ready());
    sum.set_not_scanned(sum.not_scanned() + lag.not_scanned());
  }
  CHECK(sum.leased() == figures.states.leased);
  CHECK(sum.ready() == figures.states.ready);
  CHECK(sum.not_scanned() == group.lag.ahead_events);
  room.Subscribe(room.Member("stream"));  // Is no queue.
  REQUIRE(room.groups.Measure().size() == 2);
  CHECK_FALSE(room.groups.Measure().front().queue.has_value());
}

TEST_CASE("after a restart nothing is outstanding that was settled, and nothing twice", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(5));
  room.PublishNumbers(0, 6);
  Client& client = room.Work(4);
  REQUIRE(client.sink.leased.size() == 4);
  client.Ack(client.sink.leased[1]);
  client.Nack(client.sink.leased[2]);
  room.Run();
  REQUIRE(room.Lag("workers", 0).lag_events() == 5);
  QueueRoom next(room.engine.Restart());
  const v1::PartitionLag lag = next.Lag("workers", 0);
  CHECK(lag.lag_events() == 5);
  CHECK(lag.queue().retry_wait() == 1);
  CHECK(lag.queue().not_scanned() == 4);
  CHECK_FALSE(lag.exact());  // Some may have expired.
  CHECK(GroupFiguresOf(next).lag_events == 5);
  CHECK(next.Explain().lag_events() == 5);
}

TEST_CASE("a scrape does not look at each event that is outstanding", "[queue]") {
  auto stored = std::make_unique<AskedForTime>();
  const AskedForTime& engine = *stored;
  QueueRoom room(std::move(stored));
  room.MakeTopic(8);
  room.MakeQueue("workers");
  room.PublishNumbers(0, 20'000, 1000);
  room.Work(20'000);
  const auto asked_by = [&](auto&& question) {
    const int before = engine.asked;
    question();
    return engine.asked - before;
  };
  CHECK(asked_by([&] { CHECK(room.Lag("workers", 0).queue().leased() > 0); }) >= 8);
  CHECK(asked_by([&] { CHECK(FiguresOf(room).states.leased > 0); }) == 1);  // For ages.
}

TEST_CASE("a scrape counts what became of events, and what did not count", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(2));
  room.PublishNumbers(0, 4);
  Client& client = room.Work();
  REQUIRE(client.sink.leased.size() == 4);
  client.Ack(client.sink.leased[0]);
  client.Ack(client.sink.leased[0]);
  client.Settle(v1::SETTLE_KIND_RELEASE, client.sink.leased[1]);
  client.Nack(client.sink.leased[2]);
  v1::Settlement early;
  early.set_assignment(client.sink.leased[0].assignment);
  early.set_kind(v1::SETTLE_KIND_ACK);
  early.set_offset(100);
  early.set_count(3);
  client.Settle(early);
  v1::Settlement extend = early;
  extend.set_kind(v1::SETTLE_KIND_EXTEND);
  extend.set_offset(client.sink.leased[3].offset);
  extend.set_count(1);
  client.Settle(extend);
  room.Wait(absl::Hours(12));  // The lease of the last one ends over and over.
  GroupQueue::Figures figures = FiguresOf(room);
  const auto failed = [&](AttemptEnd end) {
    return figures.tally.failed[static_cast<size_t>(end)];
  };
  CHECK(figures.tally.acked == 1);
  CHECK(figures.tally.released >= 1);
  CHECK(failed(AttemptEnd::kNack) == 1);
  CHECK(failed(AttemptEnd::kLeaseExpired) >= 3);
  CHECK(figures.tally.redelivered >= 3);
  CHECK(figures.tally.dead_lettered[static_cast<size_t>(DeadLetterReason::kAttemptsExhausted)] ==
        3);
  CHECK(figures.dead_letters == 3);
  CHECK(Refused(figures, SettleOutcome::kAlreadySettled) == 1);
  CHECK(Refused(figures, SettleOutcome::kNeverLeased) == 3);
  room.Publish(0, {"more"});
  room.Run();
  client.stream->OnDisconnect();
  room.Run();
  figures = FiguresOf(room);
  CHECK(failed(AttemptEnd::kMemberLost) == 1);
  CHECK(Refused(figures, SettleOutcome::kDone) == 0);
}

TEST_CASE("what did not count is counted by its reason", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 2);
  Client& client = room.Work(1);
  Client& other = room.Work(1);
  REQUIRE(other.sink.leased.size() == 1);
  const auto settle = [&](v1::SettleKind kind, const RecordingSink::Leased& event) {
    v1::Settlement settlement;
    settlement.set_assignment(client.sink.leased[0].assignment);
    settlement.set_offset(event.offset);
    settlement.set_kind(kind);
    if (kind == v1::SETTLE_KIND_EXTEND) settlement.mutable_delay()->set_seconds(11 * 3600);
    client.Settle(settlement);
    room.Run();
  };
  settle(v1::SETTLE_KIND_ACK, other.sink.leased[0]);
  settle(v1::SETTLE_KIND_NACK, other.sink.leased[0]);
  room.Advance(absl::Seconds(1));
  settle(v1::SETTLE_KIND_EXTEND, client.sink.leased[0]);
  CHECK(Refused(FiguresOf(room), SettleOutcome::kTooLong) == 0);
  for (int i = 0; i < 2'000; ++i) {
    for (Client* one : {&client, &other}) one->Tick();
    room.Advance(absl::Seconds(5));
  }
  settle(v1::SETTLE_KIND_EXTEND, client.sink.leased[0]);  // 13.7 h in all.
  const GroupQueue::Figures figures = FiguresOf(room);
  CHECK(Refused(figures, SettleOutcome::kLeaseLost) == 2);
  CHECK(Refused(figures, SettleOutcome::kTooLong) == 1);
  CHECK(Refused(figures, SettleOutcome::kAlreadySettled) == 0);
  CHECK(Refused(figures, SettleOutcome::kNeverLeased) == 0);
}

TEST_CASE("counters stay when a partition begins anew", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 2);
  Client& client = room.Work();
  client.Ack(client.sink.leased.at(0));
  room.Run();
  v1::ResetOffsetsRequest reset;
  reset.set_group("workers");
  reset.mutable_to()->set_earliest(true);
  reset.set_reason("again");
  reset.set_force(true);
  REQUIRE_OK(room.groups.ResetOffsets(room.caller, reset));
  room.Run();
  CHECK(FiguresOf(room).tally.acked == 1);
  CHECK(FiguresOf(room).states == PartitionQueue::States());
}

TEST_CASE("the age of the oldest event is that of what is not settled", "[queue]") {
  QueueRoom room;
  CHECK(AgeOf(room) == absl::ZeroDuration());
  room.Publish(0, {"a"});
  room.Advance(absl::Seconds(100));
  room.Publish(0, {"b"});
  room.Advance(absl::Seconds(10));
  CHECK(AgeOf(room) == absl::Seconds(110));
  Client& client = room.Work();
  CHECK(AgeOf(room) == absl::Seconds(110));
  client.Ack(client.sink.leased.at(0));
  room.Run();
  CHECK(AgeOf(room) == absl::Seconds(10));
  client.Ack(client.sink.leased.at(1));
  room.Run();
  CHECK(AgeOf(room) == absl::ZeroDuration());
}

TEST_CASE("an age that is only on the disk is known when it was read", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a", "b"});
  room.Advance(absl::Seconds(100));
  room.engine.SetCachedReads(false);
  CHECK_FALSE(AgeOf(room).has_value());
  CHECK_FALSE(AgeOf(room).has_value());
  CHECK(room.pool.pending() == 1);  // However often it is asked.
  room.Run();
  CHECK(AgeOf(room) == absl::Seconds(100));
  CHECK(room.pool.pending() == 0);
}

TEST_CASE("the age of an event that is gone from the log is that of its copy", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(3));
  room.Publish(0, {"waits"});
  Client& client = room.Work();
  client.Nack(client.sink.leased.at(0));
  room.Advance(absl::Milliseconds(500));
  room.Publish(0, {"new"});
  room.engine.TrimTo(room.Id(0), Offset(1));
  AgeOf(room);
  room.Run();
  CHECK(AgeOf(room) == absl::Milliseconds(500));
  // As the lag of the group says, also when the log is empty.
  CHECK(ToDuration(room.Lag("workers", 0).behind()) == absl::Milliseconds(500));
  room.engine.TrimTo(room.Id(0), Offset(2));
  CHECK(ToDuration(room.Lag("workers", 0).behind()) == absl::Milliseconds(500));
}

}  // namespace
}  // namespace acta
