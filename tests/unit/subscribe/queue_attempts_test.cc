// Attempts of a QUEUE group: what ends one, what follows, and what is not counted.
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

TEST_CASE("a nacked event comes again after its backoff and never before", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(5));
  room.Publish(0, {"a", "b"});
  Client& client = room.Work();
  client.Nack(client.sink.leased.at(0));
  client.Ack(client.sink.leased.at(1));
  room.Run();
  CHECK(room.Lag("workers", 0).queue().retry_wait() == 1);
  CHECK(room.Lag("workers", 0).committed_offset() == 2);  // The floor passes it.
  room.Advance(absl::Milliseconds(999));
  CHECK(client.sink.leased.size() == 2);
  room.Advance(absl::Milliseconds(1));
  REQUIRE(client.sink.leased.size() == 3);
  CHECK(client.sink.leased[2].data == "a");
  CHECK(client.sink.leased[2].attempt == 2);
}

TEST_CASE("timers do not pile up, however often the next event is due sooner", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(1000));
  room.PublishNumbers(0, 20);
  Client& client = room.Work();
  const size_t before = room.timer.waiting();
  v1::Settlement nack;
  nack.set_assignment(client.sink.leased.at(0).assignment);
  nack.set_kind(v1::SETTLE_KIND_NACK);
  for (int i = 0; i < 20; ++i) {
    nack.set_offset(i);
    nack.mutable_delay()->set_seconds(100 - i);
    client.Settle(nack);
    room.Run();
  }
  nack.mutable_delay()->set_seconds(1);
  for (size_t answered = 20; answered < 200;) {
    room.Wait(absl::Seconds(5));
    for (; answered < client.sink.leased.size(); ++answered) {
      nack.set_offset(client.sink.leased[answered].offset);
      client.Settle(nack);
    }
    room.Run();
  }
  CHECK(room.timer.waiting() <= before + 2);
}

TEST_CASE("a nack may name its own delay", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& client = room.Work();
  v1::Settlement settlement;
  settlement.set_assignment(client.sink.leased.at(0).assignment);
  settlement.set_kind(v1::SETTLE_KIND_NACK);
  settlement.mutable_delay()->set_seconds(600);
  client.Settle(settlement);
  room.Wait(absl::Seconds(599));
  CHECK(client.sink.leased.size() == 1);
  room.Advance(absl::Seconds(1));
  CHECK(client.sink.leased.size() == 2);
}

TEST_CASE("time that no timer saw ends waits and leases too", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(5));
  room.Publish(0, {"a", "b"});
  Client& client = room.Work();
  v1::Settlement settlement;
  settlement.set_assignment(client.sink.leased.at(0).assignment);
  settlement.set_kind(v1::SETTLE_KIND_NACK);
  settlement.mutable_delay()->set_seconds(7200);
  client.Settle(settlement);
  room.Run();
  // As over a suspend of the machine, or when a jump of its clock was accepted.
  room.engine.Advance(absl::Hours(2));
  room.Pass(absl::Seconds(5));
  CHECK(QueueRoom::DataOf(client).size() == 4);
}

TEST_CASE("after its attempts an event is a dead letter with the history of each", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(2));
  room.Publish(0, {"bad", "good"});
  Client& client = room.Work(1000, "one");
  v1::Settlement nack;
  nack.set_assignment(client.sink.leased.at(0).assignment);
  nack.set_kind(v1::SETTLE_KIND_NACK);
  nack.set_reason("NO_STOCK");
  nack.set_text("shelf 17 is empty");
  client.Settle(nack);
  client.Ack(client.sink.leased.at(1));
  room.Advance(absl::Seconds(1));
  REQUIRE(client.sink.leased.size() == 3);
  client.Settle(nack);
  room.Run();
  room.Wait(absl::Hours(24));
  CHECK(client.sink.leased.size() == 3);
  const v1::ListDeadLettersResponse letters = room.DeadLetters();
  REQUIRE(letters.dead_letters_size() == 1);
  const v1::DeadLetter letter = room.DeadLetter(letters.dead_letters(0).ref());
  CHECK(letter.reason() == v1::DEAD_LETTER_REASON_ATTEMPTS_EXHAUSTED);
  CHECK(letter.attempts() == 2);
  CHECK(letter.event().data() == "bad");
  REQUIRE(letter.history_size() == 2);
  CHECK(letter.history(0).member_id() == "one");
  CHECK(letter.history(0).app() == "shop");
  CHECK(letter.history(0).app_version() == "7");
  CHECK(letter.history(0).end() == v1::ATTEMPT_END_NACK);
  CHECK(letter.history(1).reason() == "NO_STOCK");
  CHECK(letter.history(1).text() == "shelf 17 is empty");
  CHECK(letter.history(1).attempt() == 2);
  CHECK(letter.last_attempt().attempt() == 2);
  CHECK(room.Lag("workers", 0).lag_events() == 0);
  CHECK(room.Lag("workers", 0).queue().dead_letters() == 1);
}

TEST_CASE("a rejected event is a dead letter at once", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& client = room.Work();
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased.at(0));
  room.Run();
  REQUIRE(room.DeadLetters().dead_letters_size() == 1);
  CHECK(room.DeadLetters().dead_letters(0).reason() == v1::DEAD_LETTER_REASON_REJECTED);
}

TEST_CASE("the events of a member that is lost go to another at once, and count", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 3);
  Client& lost = room.Work();
  Client& other = room.Work();
  REQUIRE(lost.sink.leased.size() == 3);
  lost.stream->OnDisconnect();
  room.Run();
  REQUIRE(other.sink.leased.size() == 3);
  CHECK(other.sink.leased[0].attempt == 2);
}

TEST_CASE("a member that leaves cleanly gives back, and nothing is counted", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 3);
  Client& leaving = room.Work();
  Client& other = room.Work();
  leaving.stream->OnHalfClose();
  room.Run();
  CHECK(leaving.sink.result == absl::OkStatus());
  REQUIRE(other.sink.leased.size() == 3);
  CHECK(other.sink.leased[0].attempt == 1);
}

TEST_CASE("a server that stops takes nothing from anybody's attempts", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(1));
  room.Publish(0, {"a"});
  Client& client = room.Work();
  REQUIRE(client.sink.leased.size() == 1);
  room.hub->Stop(absl::ZeroDuration());
  room.Run();
  CHECK(client.sink.EndReason() == v1::SERVER_STOPPING);
  CHECK(room.DeadLetters().dead_letters().empty());
  CHECK(room.Lag("workers", 0).queue().ready() == 1);
}

TEST_CASE("a lease that runs out is a failed attempt, and another gets the event", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(2));
  room.Publish(0, {"a"});
  Client& hanging = room.Work(1, "hanging");
  Client& other = room.Work(1, "other");
  REQUIRE(hanging.sink.leased.size() == 1);
  room.Wait(absl::Seconds(30) - absl::Microseconds(1));
  CHECK(other.sink.leased.empty());
  room.Advance(absl::Microseconds(1));
  CHECK(hanging.sink.leased.size() == 1);
  REQUIRE(room.DataOf(other) == Strings{"a"});
  CHECK(other.sink.leased[0].attempt == 2);
  other.Nack(other.sink.leased[0]);
  room.Run();
  REQUIRE(room.DeadLetters().dead_letters_size() == 1);
  const v1::DeadLetter letter = room.DeadLetter(room.DeadLetters().dead_letters(0).ref());
  REQUIRE(letter.history_size() == 2);
  CHECK(letter.history(0).end() == v1::ATTEMPT_END_LEASE_EXPIRED);
  CHECK(letter.history(0).member_id() == "hanging");
  CHECK(letter.history(1).end() == v1::ATTEMPT_END_NACK);
  CHECK(letter.history(1).member_id() == "other");
}

TEST_CASE("a late ack counts as long as nobody else got the event", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& late = room.Work(1);
  REQUIRE(late.sink.leased.size() == 1);
  room.Wait(absl::Seconds(35));
  SECTION("nobody") {
    const uint64_t frame = late.Ack(late.sink.leased[0]);
    room.Run();
    CHECK(late.sink.ErrorOf(frame) == v1::ERROR_REASON_UNSPECIFIED);
    CHECK(room.Lag("workers", 0).lag_events() == 0);
  }
  SECTION("another") {
    Client& other = room.Work();
    REQUIRE(other.sink.leased.size() == 1);
    const uint64_t frame = late.Ack(late.sink.leased[0]);
    room.Run();
    CHECK(late.sink.ErrorOf(frame) == v1::LEASE_LOST);
    CHECK(room.Lag("workers", 0).queue().leased() == 1);
  }
}

TEST_CASE("an extended lease lasts as long as it says", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& client = room.Work();
  v1::Settlement extend;
  extend.set_assignment(client.sink.leased.at(0).assignment);
  extend.set_kind(v1::SETTLE_KIND_EXTEND);
  extend.mutable_delay()->set_seconds(120);
  client.Settle(extend);
  room.Wait(absl::Seconds(115));
  CHECK(room.Lag("workers", 0).queue().leased() == 1);
  CHECK(client.sink.leased.size() == 1);
  client.Tick();
  room.Advance(absl::Seconds(6));
  CHECK(client.sink.leased.size() == 2);
}

TEST_CASE("a released event is anybody's at once, and no attempt is counted", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& client = room.Work();
  client.Settle(v1::SETTLE_KIND_RELEASE, client.sink.leased.at(0));
  room.Run();
  REQUIRE(client.sink.leased.size() == 2);
  CHECK(client.sink.leased[1].attempt == 1);
}

TEST_CASE("100 deliveries without an outcome are a dead letter: DELIVERY_LOOP", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& client = room.Work();
  for (size_t i = 0; i < 100; ++i) {
    REQUIRE(client.sink.leased.size() == i + 1);
    client.Settle(v1::SETTLE_KIND_RELEASE, client.sink.leased.back());
    room.Run();
  }
  CHECK(client.sink.leased.size() == 100);
  REQUIRE(room.DeadLetters().dead_letters_size() == 1);
  CHECK(room.DeadLetters().dead_letters(0).reason() == v1::DEAD_LETTER_REASON_DELIVERY_LOOP);
}

TEST_CASE("what was leased for a member and never sent is no delivery", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  v1::SubscribeStart start;
  start.set_group("workers");
  for (int i = 0; i < 100; ++i) {  // As many as make a DELIVERY_LOOP.
    Client& client = room.Connect();
    client.reads = false;
    client.Start(start);
    room.Run();
    REQUIRE(room.Lag("workers", 0).queue().leased() == 1);
    REQUIRE(client.sink.leased.empty());
    client.stream->OnDisconnect();
    room.Run();
  }
  Client& client = room.Work();
  REQUIRE(room.DataOf(client) == Strings{"a"});
  CHECK(client.sink.leased[0].attempt == 1);
  CHECK(room.DeadLetters().dead_letters().empty());
}

TEST_CASE("what is being read for a member that is lost was no attempt", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(2));
  room.ReadOneAnew().stream->OnDisconnect();
  room.Run();
  CHECK(room.DeadLetters().dead_letters().empty());
  Client& other = room.Work();
  REQUIRE(other.sink.leased.size() == 1);
  CHECK(other.sink.leased[0].offset == QueueRoom::kColdOffset);
  CHECK(other.sink.leased[0].attempt == 2);
}

TEST_CASE("a failure holds its key until it is settled, when the group says KEY", "[queue]") {
  v1::QueueSettings settings = QueueRoom::Ordered(v1::ON_EXHAUSTED_DEAD_LETTER);
  settings.set_max_attempts(2);
  QueueRoom room(settings);
  room.PublishKeyed({{"k", "1"}, {"k", "2"}, {"j", "3"}});
  Client& client = room.Work();
  REQUIRE(room.DataOf(client) == Strings{"1", "3"});
  client.Nack(client.sink.leased[0]);
  room.Run();
  CHECK(client.sink.leased.size() == 2);
  room.Advance(absl::Seconds(2));
  REQUIRE(room.DataOf(client) == Strings{"1", "3", "1"});
  client.Nack(client.sink.leased[2]);
  room.Run();
  CHECK(room.DataOf(client) == Strings{"1", "3", "1", "2"});
  REQUIRE(room.DeadLetters().dead_letters_size() == 1);
  CHECK(room.DeadLetters().dead_letters(0).order_broken());
}

TEST_CASE("KEY_RELAXED lets the next of a key go on while a failed one waits", "[queue]") {
  v1::QueueSettings settings;
  settings.set_order(v1::QUEUE_ORDER_KEY_RELAXED);
  QueueRoom room(settings);
  room.PublishKeyed({{"k", "1"}, {"k", "2"}});
  Client& client = room.Work();
  REQUIRE(room.DataOf(client) == Strings{"1"});
  client.Nack(client.sink.leased[0]);
  room.Run();
  CHECK(room.DataOf(client) == Strings{"1", "2"});
}

TEST_CASE("the events of a member that says nothing go to another after 15 s, and count",
          "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 2);
  Client& hangs = room.Work(2);
  REQUIRE(hangs.sink.leased.size() == 2);
  Client& other = room.Work();
  for (int i = 0; i < 3; ++i) {
    CHECK(other.sink.leased.empty());
    other.Tick();
    room.Advance(absl::Seconds(5));
  }
  CHECK(hangs.sink.EndReason() == v1::MEMBER_TIMED_OUT);
  REQUIRE(other.sink.leased.size() == 2);
  for (const RecordingSink::Leased& event : other.sink.leased) CHECK(event.attempt == 2);
}

TEST_CASE("an event that no frame of its member takes fails alone, and the others go on",
          "[queue]") {
  QueueRoom room(QueueRoom::Attempts(3));
  room.Publish(0, {"a", std::string(100'000, 'x'), "c"});
  v1::SubscribeStart start;
  start.set_group("workers");
  start.set_max_frame_bytes(64 << 10);
  Client& client = room.Subscribe(start);
  CHECK(room.DataOf(client) == Strings{"a", "c"});
  CHECK(client.sink.Notices("EVENT_TOO_LARGE").size() == 1);
  SECTION("for good, when its attempts are over") {
    client.Ack(client.sink.leased[0]);
    client.Ack(client.sink.leased[1]);
    room.Wait(absl::Minutes(1));
    const v1::ListDeadLettersResponse letters = room.DeadLetters();
    REQUIRE(letters.dead_letters_size() == 1);
    const v1::DeadLetter letter = room.DeadLetter(letters.dead_letters(0).ref());
    CHECK(letter.ref().offset() == 1);
    REQUIRE(letter.history_size() == 3);
    CHECK(letter.history(2).reason() == "EVENT_TOO_LARGE_FOR_CLIENT");
    CHECK(absl::StrContains(letter.history(2).text(), "max_frame_bytes is 65536"));
  }
  SECTION("and another takes it") {
    client.stream->OnHalfClose();
    room.Run();
    Client& other = room.Work();
    room.Wait(absl::Seconds(2));
    // Of the others nothing was counted.
    REQUIRE(other.sink.leased.size() == 3);
    for (const RecordingSink::Leased& event : other.sink.leased) {
      CHECK(event.attempt == (event.offset == 1 ? 2 : 1));
    }
  }
}

}  // namespace
}  // namespace acta
