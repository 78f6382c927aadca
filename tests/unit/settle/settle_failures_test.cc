// Steps in which events fail: they fail together with what is published because of that.
#include "absl/time/time.h"
#include "proto/support/proto_time.h"
#include "tests/unit/settle/step_room.h"

namespace acta {
namespace {

TEST_CASE("an event that fails in a step comes again, and what follows from it is published",
          "[step]") {
  StepRoom room(StepRoom::Attempts(5));
  room.PublishNumbers(0, 3);
  Client& client = room.Work();
  v1::SettleRequest request = room.Failing(client.sink.leased[1], v1::SETTLE_KIND_NACK, "late: 1");
  request.mutable_failed(0)->set_reason("no_stock");
  request.mutable_failed(0)->set_text("none is left");
  SetDuration(absl::Seconds(20), request.mutable_failed(0)->mutable_delay());
  *request.add_processed() = room.Step(client.sink.leased[0]).processed(0);
  REQUIRE_OK(room.Settle(request));
  CHECK(room.Bills() == Strings{"late: 1"});
  CHECK(room.Rows("parked/") == 1);
  CHECK(room.Rows("attempt/") == 1);
  CHECK(room.Outstanding() == 2);
  room.Wait(absl::Seconds(19));
  CHECK(client.sink.leased.size() == 3);
  room.Wait(absl::Seconds(1));
  REQUIRE(client.sink.leased.size() == 4);
  CHECK(client.sink.leased[3].data == "1");
  CHECK(client.sink.leased[3].attempt == 2);
  REQUIRE_OK(room.Settle(room.Step(client.sink.leased[3])));
  CHECK(room.Rows("parked/") == 0);
  CHECK(room.Rows("attempt/") == 0);
}

TEST_CASE("an event that is rejected in a step is a dead letter with the attempt's words",
          "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work(10, "worker-1");
  v1::SettleRequest request =
      room.Failing(client.sink.leased[0], v1::SETTLE_KIND_REJECT, "refused: 0");
  request.mutable_failed(0)->set_reason("bad_address");
  request.mutable_failed(0)->set_text("street 7 is not there");
  REQUIRE_OK(room.Settle(request));
  CHECK(room.Bills() == Strings{"refused: 0"});
  CHECK(StepRoom::ContextOf(room.BillBatches()[0]).causation_id() == "orders/0/0");
  REQUIRE(room.DeadLetters().dead_letters_size() == 1);
  const v1::DeadLetter letter = room.DeadLetter(room.DeadLetters().dead_letters(0).ref());
  REQUIRE(letter.history_size() == 1);
  CHECK(letter.history(0).member_id() == "worker-1");
  CHECK(letter.history(0).reason() == "bad_address");
  CHECK(letter.history(0).text() == "street 7 is not there");
  CHECK_FALSE(letter.fingerprint().empty());
  CHECK(room.Outstanding() == 0);
  CHECK(room.Refused(request) == v1::ALREADY_SETTLED);
  CHECK(room.DeadLetters().dead_letters_size() == 1);
}

TEST_CASE("a step that is repeated when its event was redriven is refused", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  const v1::SettleRequest request =
      room.Failing(client.sink.leased[0], v1::SETTLE_KIND_REJECT, "refused: 0");
  REQUIRE_OK(room.Settle(request));
  v1::RedriveDeadLettersRequest redrive;
  redrive.set_group("workers");
  *redrive.mutable_selection()->add_letters() = room.DeadLetters().dead_letters(0).ref();
  REQUIRE_OK(room.groups.RedriveDeadLetters(room.caller, redrive));
  room.Run();
  REQUIRE(client.sink.leased.size() == 2);
  CHECK(client.sink.leased[1].attempt == 1);
  CHECK(room.Refused(request) == v1::LEASE_LOST);
  CHECK(room.Bills() == Strings{"refused: 0"});
  REQUIRE_OK(room.Settle(room.Step(client.sink.leased[1], "billed: 0")));
  CHECK(room.Bills() == Strings{"refused: 0", "billed: 0"});
}

TEST_CASE("the last attempt may fail in a step", "[step]") {
  v1::QueueSettings settings = StepRoom::Attempts(1);
  SECTION("and the event is a dead letter") {
    StepRoom room(settings);
    room.PublishNumbers(0, 1);
    Client& client = room.Work();
    REQUIRE_OK(room.Settle(room.Failing(client.sink.leased[0], v1::SETTLE_KIND_NACK)));
    CHECK(room.DeadLetters().dead_letters_size() == 1);
  }
  SECTION("and the key is held") {
    settings.set_order(v1::QUEUE_ORDER_KEY);
    settings.set_on_exhausted(v1::ON_EXHAUSTED_HOLD_KEY);
    StepRoom room(settings);
    room.PublishKeyed({{"k", "first"}, {"k", "second"}});
    Client& client = room.Work();
    REQUIRE(client.sink.leased.size() == 1);
    REQUIRE_OK(room.Settle(room.Failing(client.sink.leased[0], v1::SETTLE_KIND_NACK)));
    CHECK(room.Lag("workers", 0).queue().held() == 1);
    CHECK(client.sink.leased.size() == 1);
    CHECK(room.Rows("parked/") == 2);
  }
}

TEST_CASE("a step with failures happens whole or not at all", "[step]") {
  StepRoom room(StepRoom::Attempts(5));
  room.PublishNumbers(0, 2);
  Client& client = room.Work();
  v1::SettleRequest request = room.Failing(client.sink.leased[0], v1::SETTLE_KIND_REJECT, "bill");
  *request.add_processed() = room.Step(client.sink.leased[1]).processed(0);
  request.mutable_publish(0)->set_partition(0);
  request.mutable_publish(0)->mutable_expect()->set_end_offset(7);
  CHECK(room.Refused(request) == v1::WRONG_EXPECTED_OFFSET);
  CHECK(room.DeadLetters().dead_letters().empty());
  CHECK(room.Rows("attempt/") == 0);
  CHECK(room.Outstanding() == 2);
  request.clear_publish();
  REQUIRE_OK(room.Settle(request));
  CHECK(room.DeadLetters().dead_letters_size() == 1);
  CHECK(room.Outstanding() == 0);
}

TEST_CASE("an event that is skipped while a step that fails it is written stays skipped",
          "[step]") {
  StepRoom room(StepRoom::Attempts(5));
  room.PublishNumbers(0, 2);
  Client& client = room.Work();
  room.engine.HoldDone();
  v1::SettleRequest request = room.Failing(client.sink.leased[0], v1::SETTLE_KIND_NACK);
  request.add_failed()->CopyFrom(
      room.Failing(client.sink.leased[1], v1::SETTLE_KIND_REJECT).failed(0));
  const auto answer = room.Begin(request);
  const auto group = room.groups.FindForStep(room.caller, "", "workers");
  REQUIRE_OK(group);
  CHECK((*group)->queue()->Skip(room.Id(0), {Offset(0), Offset(2)}) == 2);
  room.engine.ReleaseDone();
  room.Run();
  REQUIRE(answer->has_value());
  CHECK(room.Outstanding() == 0);
  CHECK(room.Rows("parked/") == 0);
  CHECK(room.Rows("attempt/") == 0);
  CHECK(room.DeadLetters().dead_letters().empty());
}

TEST_CASE("a failure in a step says how it failed", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  v1::SettleRequest request = room.Failing(client.sink.leased[0], v1::SETTLE_KIND_NACK);
  v1::FailedEvents& failed = *request.mutable_failed(0);
  SECTION("and nothing else") {
    failed.set_kind(v1::SETTLE_KIND_ACK);
    CHECK(room.Refused(request) == v1::INVALID_ARGUMENT);
    failed.set_kind(v1::SETTLE_KIND_EXTEND);
    CHECK(room.Refused(request) == v1::INVALID_ARGUMENT);
    failed.set_kind(v1::SETTLE_KIND_UNSPECIFIED);
    CHECK(room.Refused(request) == v1::UNKNOWN_ENUM_VALUE);
  }
  SECTION("with a delay of at most 30 days") {
    SetDuration(absl::Hours(24 * 30) + absl::Seconds(1), failed.mutable_delay());
    CHECK(room.Refused(request) == v1::INVALID_ARGUMENT);
    SetDuration(absl::Hours(24 * 30), failed.mutable_delay());
    CHECK_OK(room.Settle(request).status());
  }
  SECTION("with a word and a short text") {
    failed.set_reason("two words");
    CHECK(room.Refused(request) == v1::INVALID_ARGUMENT);
    failed.set_reason("word");
    failed.set_text(std::string(1025, 't'));
    CHECK(room.Refused(request) == v1::LIMIT_EXCEEDED);
    failed.set_text(std::string(1024, 't'));
    CHECK_OK(room.Settle(request).status());
  }
  SECTION("and is not processed as well") {
    *request.add_processed() = room.Step(client.sink.leased[0]).processed(0);
    CHECK(room.Refused(request) == v1::INVALID_ARGUMENT);
  }
}

}  // namespace
}  // namespace acta
