// Groups that begin anew elsewhere.
#include "storage/layout/rows.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

// A room with "a", a dead letter that failed twice, and "b", all of them settled.
class ResetRoom : public QueueRoom {
 public:
  ResetRoom() : QueueRoom(Attempts(2)) {
    Publish(0, {"a", "bad", "b"});
    Client& client = Work(1000, "one");
    client.Ack(client.sink.leased.at(0));
    client.Ack(client.sink.leased.at(2));
    for (size_t i : {size_t{1}, size_t{3}}) {
      v1::Settlement nack;
      nack.set_assignment(client.sink.leased.at(i).assignment);
      nack.set_offset(1);
      nack.set_kind(v1::SETTLE_KIND_NACK);
      client.Settle(nack);
      Advance(absl::Seconds(1));
    }
    REQUIRE(DeadLetters().dead_letters_size() == 1);
  }

  void Reset() {
    v1::ResetOffsetsRequest reset;
    reset.set_group("workers");
    reset.mutable_to()->set_earliest(true);
    reset.set_reason("once more");
    reset.set_force(true);
    REQUIRE_OK(groups.ResetOffsets(caller, reset));
    Run();
  }
};

TEST_CASE("what is a dead letter stays one over a reset, and is not delivered again", "[queue]") {
  ResetRoom room;
  room.Reset();
  Client& client = room.Work(1000, "two");
  CHECK(QueueRoom::DataOf(client) == Strings{"a", "b"});
  for (const RecordingSink::Leased& event : client.sink.leased) client.Ack(event);
  room.Run();
  REQUIRE(room.DeadLetters().dead_letters_size() == 1);
  CHECK(room.Lag("workers", 0).queue().dead_letters() == 1);
  const v1::DeadLetter letter = room.DeadLetter(room.DeadLetters().dead_letters(0).ref());
  CHECK(letter.event().data() == "bad");
  CHECK(letter.history_size() == 2);
}

TEST_CASE("what is settled already is no gap when retention takes it", "[queue]") {
  ResetRoom room;
  v1::ResetOffsetsRequest reset;
  reset.set_group("workers");
  v1::GroupOffset& to = *reset.mutable_to_offsets()->add_offsets();
  to.set_topic("orders");
  to.set_offset(1);
  reset.set_reason("once more");
  reset.set_force(true);
  REQUIRE_OK(room.groups.ResetOffsets(room.caller, reset));
  v1::DiscardDeadLettersRequest discard;
  discard.set_group("workers");
  discard.mutable_selection()->set_all(true);
  REQUIRE(room.groups.DiscardDeadLetters(room.caller, discard)->discarded() == 1);
  const bool restarts = GENERATE(false, true);
  std::optional<QueueRoom> next;
  if (restarts) next.emplace(room.engine.Restart());
  QueueRoom& then = restarts ? *next : room;
  then.engine.TrimTo(then.Id(0), Offset(2));
  then.Wait(absl::Seconds(20));
  Client& client = then.Work(1000, "three");
  CHECK(QueueRoom::DataOf(client) == Strings{"b"});
  CHECK(client.sink.gaps().empty());
  CHECK(then.Explain().code() != v1::STANDSTILL_CODE_GAP);
}

TEST_CASE("a reset that forgets more rows than may be is refused, and forgets none", "[queue]") {
  GroupLimits limits;
  limits.max_reset_rows = 2;
  QueueRoom room(QueueRoom::Attempts(5), 2, limits);
  for (const int32_t partition : {0, 1}) room.Publish(partition, {"a"});
  Client& client = room.Work();
  REQUIRE(client.sink.leased.size() == 2);
  for (const RecordingSink::Leased& event : client.sink.leased) client.Nack(event);
  room.Run();
  REQUIRE(room.Rows(kParkedRows) == 2);
  REQUIRE(room.Rows(kAttemptRows) == 2);
  v1::ResetOffsetsRequest reset;
  reset.set_group("workers");
  reset.mutable_to()->set_earliest(true);
  reset.set_reason("once more");
  reset.set_force(true);
  for (const bool dry_run : {true, false}) {
    reset.set_dry_run(dry_run);
    const absl::Status refused = room.groups.ResetOffsets(room.caller, reset).status();
    REQUIRE(ReasonOf(refused) == v1::LIMIT_EXCEEDED);
    CHECK(DetailsOf(refused).at("limit") == "max_reset_rows");
    room.Run();
    CHECK(room.Members("workers") == 1);  // Nobody was ended for it.
    CHECK(room.Rows(kParkedRows) == 2);
    CHECK(room.Rows(kAttemptRows) == 2);
  }
  // What it advises.
  reset.mutable_to_offsets()->add_offsets()->set_topic("orders");
  CHECK_OK(room.groups.ResetOffsets(room.caller, reset).status());
  CHECK(room.Rows(kParkedRows) == 1);
  CHECK(room.Rows(kAttemptRows) == 1);
}

TEST_CASE("a dead letter of before a reset can be redriven", "[queue]") {
  ResetRoom room;
  room.Reset();
  v1::RedriveDeadLettersRequest redrive;
  redrive.set_group("workers");
  redrive.mutable_selection()->set_all(true);
  const auto redriven = room.groups.RedriveDeadLetters(room.caller, redrive);
  REQUIRE_OK(redriven);
  CHECK(redriven->redriven() == 1);
  room.Run();
  Client& client = room.Work(1000, "two");
  Strings data = QueueRoom::DataOf(client);
  std::sort(data.begin(), data.end());
  CHECK(data == Strings{"a", "b", "bad"});
  CHECK(room.DeadLetters().dead_letters().empty());
}

}  // namespace
}  // namespace acta
