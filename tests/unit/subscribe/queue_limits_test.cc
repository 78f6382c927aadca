// Limits of QUEUE groups, each from both sides.
#include "absl/strings/match.h"
#include "proto/support/proto_time.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

std::string LimitOf(const absl::Status& status) {
  const auto details = DetailsOf(status);
  const auto found = details.find("limit");
  return found == details.end() ? "" : found->second;
}

// All of the same event.
v1::SubscribeControl MostAcks(uint64_t assignment) {
  v1::SubscribeControl control;
  for (int i = 0; i < 10'000; ++i) {
    v1::Settlement& settlement = *control.mutable_settle()->add_settlements();
    settlement.set_assignment(assignment);
    settlement.set_kind(v1::SETTLE_KIND_ACK);
  }
  return control;
}

TEST_CASE("a frame has at most 10,000 settlements, and none of one that has more counts",
          "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  const v1::SubscribeControl control = MostAcks(client.sink.leased[0].assignment);
  v1::SubscribeControl more = control;
  *more.mutable_settle()->add_settlements() = control.settle().settlements(0);
  const uint64_t refused = client.Send(more);
  room.Run();
  REQUIRE(client.sink.EndReason() == v1::ERROR_REASON_UNSPECIFIED);
  REQUIRE(client.sink.errors().contains(refused));
  const absl::Status status = FromProto(client.sink.errors().at(refused));
  CHECK(ReasonOf(status) == v1::LIMIT_EXCEEDED);
  CHECK(LimitOf(status) == "max_settlements_per_frame");
  CHECK(room.Lag("workers", 0).lag_events() == 1);
  client.Send(control);
  room.Run();
  CHECK(room.Lag("workers", 0).lag_events() == 0);
}

TEST_CASE("settlements that fail and pile up before the disk end the stream", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  const uint64_t held = client.sink.leased[0].assignment;
  v1::SubscribeControl control = MostAcks(held + 1);
  control.mutable_settle()->mutable_settlements(0)->set_assignment(held);
  room.engine.HoldDone();
  for (int i = 0; i < 6; ++i) client.Send(control);  // 59,999 errors.
  client.Tick();
  room.Run();
  CHECK_FALSE(client.sink.result.has_value());
  client.Send(control);  // 69,999 of them.
  room.Run();
  CHECK_FALSE(client.sink.result.has_value());
  client.Tick();
  room.Run();
  REQUIRE(client.sink.EndReason() == v1::LIMIT_EXCEEDED);
  CHECK(LimitOf(*client.sink.result) == "max_waiting_settle_errors");
  room.engine.ReleaseDone();
  room.Run();
}

TEST_CASE("at most 1,000 dead letters may be named at once", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased[0]);
  room.Run();
  v1::DiscardDeadLettersRequest request;
  request.set_group("workers");
  for (int i = 0; i < 1'000; ++i) request.mutable_selection()->add_letters()->set_topic("orders");
  v1::DiscardDeadLettersRequest more = request;
  more.mutable_selection()->add_letters()->set_topic("orders");
  const absl::Status refused = room.groups.DiscardDeadLetters(room.caller, more).status();
  CHECK(ReasonOf(refused) == v1::LIMIT_EXCEEDED);
  CHECK(LimitOf(refused) == "max_named_dead_letters");
  CHECK(room.DeadLetters().dead_letters_size() == 1);
  const auto discarded = room.groups.DiscardDeadLetters(room.caller, request);
  REQUIRE_OK(discarded);
  CHECK(discarded->discarded() == 1);
}

TEST_CASE("a pause ends in the future, within 400 days", "[queue]") {
  QueueRoom room;
  const auto pause_for = [&](absl::Duration length) {
    v1::PauseGroupRequest pause;
    pause.set_group("workers");
    pause.set_reason("deploying");
    SetTime(room.engine.Now() + length, pause.mutable_until());
    return room.groups.Pause(room.caller, pause).status();
  };
  constexpr absl::Duration kLongest = absl::Hours(400 * 24);
  for (const absl::Duration length :
       {-absl::Hours(1), absl::ZeroDuration(), kLongest + absl::Microseconds(1)}) {
    const absl::Status refused = pause_for(length);
    INFO(length);
    CHECK(ReasonOf(refused) == v1::INVALID_ARGUMENT);
    CHECK(DetailsOf(refused).at("field") == "until");
    CHECK(absl::StrContains(refused.message(), "400 days"));
  }
  REQUIRE_OK(pause_for(kLongest));
  REQUIRE_OK(pause_for(absl::Microseconds(1)));
}

// What is no time: milliseconds for seconds, before the year 1, and nanoseconds of another second.
std::vector<google::protobuf::Timestamp> NoTimes() {
  std::vector<google::protobuf::Timestamp> times(4);
  times[0].set_seconds(1'700'000'000'000);
  times[1].set_seconds(-62'135'596'801);
  times[2].set_nanos(-1);
  times[3].set_nanos(1'000'000'000);
  return times;
}

TEST_CASE("a selection between what are no times is refused, and nothing is discarded", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased[0]);
  room.Run();
  for (const google::protobuf::Timestamp& no_time : NoTimes()) {
    for (const bool after : {true, false}) {
      INFO(no_time.seconds() << " s " << no_time.nanos() << " ns, after " << after);
      v1::DeadLetterSelection selection;
      *(after ? selection.mutable_after() : selection.mutable_before()) = no_time;
      const auto check = [&](const absl::Status& refused) {
        REQUIRE(ReasonOf(refused) == v1::INVALID_ARGUMENT);
        CHECK(DetailsOf(refused).at("field") == (after ? "selection.after" : "selection.before"));
      };
      v1::DiscardDeadLettersRequest discard;
      discard.set_group("workers");
      *discard.mutable_selection() = selection;
      check(room.groups.DiscardDeadLetters(room.caller, discard).status());
      v1::RedriveDeadLettersRequest redrive;
      redrive.set_group("workers");
      *redrive.mutable_selection() = selection;
      check(room.groups.RedriveDeadLetters(room.caller, redrive).status());
      v1::StartRedriveRequest start;
      start.set_group("workers");
      start.set_rate(1);
      *start.mutable_selection() = selection;
      check(room.groups.StartRedrive(room.caller, start).status());
    }
  }
  CHECK(room.DeadLetters().dead_letters_size() == 1);
}

TEST_CASE("a pause does not end at what is no time", "[queue]") {
  QueueRoom room;
  v1::PauseGroupRequest pause;
  pause.set_group("workers");
  pause.set_reason("deploying");
  std::vector<google::protobuf::Timestamp> times = NoTimes();
  // A minute from now with the nanoseconds of another second.
  SetTime(room.engine.Now() + absl::Minutes(1), &times.emplace_back());
  times.back().set_nanos(1'000'000'000);
  for (const google::protobuf::Timestamp& no_time : times) {
    INFO(no_time.seconds() << " s " << no_time.nanos() << " ns");
    *pause.mutable_until() = no_time;
    CHECK(ReasonOf(room.groups.Pause(room.caller, pause).status()) == v1::INVALID_ARGUMENT);
  }
}

using Change = void (*)(v1::QueueSettings&);
struct Bound {
  const char* field;
  Change least, below, most, above;
};

// Seconds and nanoseconds of a duration.
void Set(google::protobuf::Duration* duration, int64_t seconds, int32_t nanos = 0) {
  duration->set_seconds(seconds);
  duration->set_nanos(nanos);
}

TEST_CASE("a setting is taken at its bounds, and not beyond them", "[queue]") {
  using S = v1::QueueSettings;
  constexpr int64_t kDay = 86'400;
  const Bound bound = GENERATE(
      Bound{"lease", [](S& s) { Set(s.mutable_lease(), 1); },
            [](S& s) { Set(s.mutable_lease(), 0, 999'999'000); },
            [](S& s) { Set(s.mutable_lease(), kDay / 2); },
            [](S& s) { Set(s.mutable_lease(), kDay / 2, 1'000); }},
      Bound{"max_attempts", [](S& s) { s.set_max_attempts(1); },
            [](S& s) { s.set_max_attempts(0); }, [](S& s) { s.set_max_attempts(1000); },
            [](S& s) { s.set_max_attempts(1001); }},
      Bound{"backoff_initial", [](S& s) { Set(s.mutable_backoff_initial(), 0, 10'000'000); },
            [](S& s) { Set(s.mutable_backoff_initial(), 0, 9'999'000); },
            [](S& s) { Set(s.mutable_backoff_initial(), kDay); },
            [](S& s) { Set(s.mutable_backoff_initial(), kDay, 1'000); }},
      Bound{"backoff_max", [](S& s) { Set(s.mutable_backoff_max(), 0, 10'000'000); },
            [](S& s) { Set(s.mutable_backoff_max(), 0, 9'999'000); },
            [](S& s) { Set(s.mutable_backoff_max(), 30 * kDay); },
            [](S& s) { Set(s.mutable_backoff_max(), 30 * kDay, 1'000); }},
      Bound{"backoff_factor", [](S& s) { s.set_backoff_factor(1); },
            [](S& s) { s.set_backoff_factor(0.999); }, [](S& s) { s.set_backoff_factor(100); },
            [](S& s) { s.set_backoff_factor(100.001); }},
      Bound{"backoff_jitter", [](S& s) { s.set_backoff_jitter(0); },
            [](S& s) { s.set_backoff_jitter(-0.001); }, [](S& s) { s.set_backoff_jitter(1); },
            [](S& s) { s.set_backoff_jitter(1.001); }},
      Bound{"dead_letter_retention", [](S& s) { Set(s.mutable_dead_letter_retention(), 60); },
            [](S& s) { Set(s.mutable_dead_letter_retention(), 59, 999'999'000); },
            [](S& s) { Set(s.mutable_dead_letter_retention(), 400 * kDay); },
            [](S& s) { Set(s.mutable_dead_letter_retention(), 400 * kDay, 1'000); }},
      Bound{"max_dead_letters", [](S& s) { s.set_max_dead_letters(1); },
            [](S& s) { s.set_max_dead_letters(0); },
            [](S& s) { s.set_max_dead_letters(1'000'000); },
            [](S& s) { s.set_max_dead_letters(1'000'001); }});
  INFO(bound.field);
  QueueRoom room;
  const auto update = [&](Change change) {
    S settings;
    change(settings);
    return room.Update({std::string("queue.") + bound.field}, settings);
  };
  for (const Change change : {bound.least, bound.most}) CHECK(update(change).ok());
  const std::string before = room.Settings().SerializeAsString();
  for (const Change change : {bound.below, bound.above}) {
    const absl::Status refused = update(change);
    CHECK(ReasonOf(refused) == v1::INVALID_ARGUMENT);
    CHECK(DetailsOf(refused).at("field") == std::string("queue.") + bound.field);
  }
  CHECK(room.Settings().SerializeAsString() == before);
}

TEST_CASE("a group has its limit of dead letters in all partitions together, over a restart too",
          "[queue]") {
  v1::QueueSettings settings;
  settings.set_max_dead_letters(3);
  QueueRoom room(settings, 2);
  room.PublishNumbers(0, 4);
  room.PublishNumbers(1, 3);
  Client& client = room.Work(3);
  for (const auto& event : std::vector(client.sink.leased)) {
    client.Settle(v1::SETTLE_KIND_REJECT, event);
  }
  room.Run();
  client.Credit(3, 1000);
  room.Run();
  CHECK(client.sink.leased.size() == 3);

  QueueRoom next(room.engine.Restart());
  Client& worker = next.Work(100);
  next.Wait(absl::Minutes(1));
  CHECK(worker.sink.leased.empty());
  CHECK(next.Explain().code() == v1::STANDSTILL_CODE_DEAD_LETTERS_FULL);
  v1::RedriveDeadLettersRequest redrive;
  redrive.set_group("workers");
  redrive.mutable_selection()->set_all(true);
  redrive.set_max(1);
  REQUIRE_OK(next.groups.RedriveDeadLetters(next.caller, redrive));
  next.Run();
  // The others, and the one that is redriven: there is room for one again.
  CHECK(worker.sink.leased.size() == 5);
  worker.Settle(v1::SETTLE_KIND_REJECT, worker.sink.leased[0]);
  next.Run();
  CHECK(next.DeadLetters().dead_letters_size() == 3);
  next.PublishNumbers(0, 1);
  next.Wait(absl::Seconds(10));
  CHECK(worker.sink.leased.size() == 5);
}

TEST_CASE("a key goes on although its member dies again and again", "[queue]") {
  QueueRoom room(QueueRoom::Ordered());
  room.PublishKeyed({{"k", "1"}, {"k", "2"}, {"k", "3"}});
  for (int life = 1; life <= 3; ++life) {
    Client& dies = room.Work(1);
    for (int i = 0; i < 2; ++i) room.Wait(absl::Seconds(5));  // From the second on with a backoff.
    REQUIRE(room.DataOf(dies) == Strings{"1"});
    CHECK(dies.sink.leased[0].attempt == life);
    dies.stream->OnDisconnect();
    room.Run();
  }
  Client& lives = room.Work(1000);
  for (size_t i = 0; i < 3; ++i) {
    room.Wait(absl::Seconds(10));
    REQUIRE(lives.sink.leased.size() == i + 1);
    lives.Ack(lives.sink.leased[i]);
    room.Run();
  }
  CHECK(room.DataOf(lives) == Strings{"1", "2", "3"});
  CHECK(room.Lag("workers", 0).lag_events() == 0);
}

}  // namespace
}  // namespace acta
