// Steps of workers: events that are processed and what is published because of them.
#include "absl/strings/str_cat.h"
#include "tests/unit/settle/step_room.h"

namespace acta {
namespace {

TEST_CASE("a step settles its events and publishes what follows from them", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 3);
  Client& client = room.Work();
  const auto answer = room.Settle(room.Step(client.sink.leased[1], "bill 1"));
  REQUIRE_OK(answer);
  REQUIRE(answer->batches_size() == 1);
  CHECK(answer->batches(0).parts(0).base_offset() == 0);
  CHECK(room.Bills() == Strings{"bill 1"});
  CHECK(room.Outstanding() == 2);
  client.Ack(client.sink.leased[0]);
  client.Ack(client.sink.leased[2]);
  room.Run();
  CHECK(room.Outstanding() == 0);
}

TEST_CASE("a step without anything to publish settles all of its events or none", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 3, 3);
  Client& client = room.Work();
  client.Ack(client.sink.leased[1]);
  room.Run();
  v1::SettleRequest whole = room.Step(client.sink.leased[0]);
  whole.mutable_processed(0)->clear_offset();
  whole.mutable_processed(0)->clear_count();
  CHECK(room.Refused(whole) == v1::ALREADY_SETTLED);
  CHECK(room.Outstanding() == 2);
  v1::SettleRequest rest = room.Step(client.sink.leased[0]);
  *rest.add_processed() = room.Step(client.sink.leased[2]).processed(0);
  REQUIRE_OK(room.Settle(rest));
  CHECK(room.Outstanding() == 0);
}

TEST_CASE("a step is answered when it is durable, and its events are nobody else's until then",
          "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  Client& other = room.Work();
  room.engine.HoldDone();
  const auto answer = room.Begin(room.Step(client.sink.leased[0], "bill"));
  CHECK_FALSE(answer->has_value());
  const uint64_t ack = client.Ack(client.sink.leased[0]);
  room.Wait(absl::Minutes(1));  // Its lease would be over.
  CHECK(other.sink.leased.empty());
  room.engine.ReleaseDone();
  room.Run();
  REQUIRE(answer->has_value());
  REQUIRE_OK(**answer);
  CHECK(client.sink.ErrorOf(ack) == v1::LEASE_LOST);
  CHECK(room.Outstanding() == 0);
  CHECK(room.Bills() == Strings{"bill"});
}

TEST_CASE("a step that comes again is refused as settled, and nothing is published twice",
          "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  REQUIRE_OK(room.Settle(room.Step(client.sink.leased[0], "bill")));
  CHECK(room.Refused(room.Step(client.sink.leased[0], "bill")) == v1::ALREADY_SETTLED);
  CHECK(room.Bills() == Strings{"bill"});
}

TEST_CASE("a step that comes again while it is written is answered when that is known", "[step]") {
  const bool fails = GENERATE(false, true);
  StepRoom room;
  room.PublishNumbers(0, 2);
  Client& client = room.Work();
  v1::SettleRequest first = room.Step(client.sink.leased[0], "bill");
  *first.add_processed() = room.Step(client.sink.leased[1]).processed(0);
  if (fails) {
    first.mutable_publish(0)->set_partition(0);
    first.mutable_publish(0)->mutable_expect()->set_end_offset(77);
  }
  const v1::SettleRequest second = room.Step(client.sink.leased[1], "bill");
  room.engine.HoldDone();
  const StepRoom::Answer answer = room.Begin(first);
  const StepRoom::Answer again = room.Begin(second);
  CHECK_FALSE(answer->has_value());
  CHECK_FALSE(again->has_value());
  for (int i = 0; i < 5; ++i) {
    room.engine.ReleaseDone();
    room.Run();
  }
  REQUIRE(answer->has_value());
  REQUIRE(again->has_value());
  CHECK((*answer)->ok() == !fails);
  if (fails) {
    REQUIRE_OK(**again);
    CHECK(room.Outstanding() == 1);
  } else {
    CHECK(ReasonOf((*again)->status()) == v1::ALREADY_SETTLED);
    CHECK(room.Outstanding() == 0);
  }
  CHECK(room.Bills() == Strings{"bill"});
}

TEST_CASE("a step that comes again while it is written is not told what went in that moment",
          "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  v1::SettleRequest step = room.Step(client.sink.leased[0], "bill");
  room.engine.HoldDone();
  const StepRoom::Answer answer = room.Begin(step);
  step.mutable_publish(0)->set_topic("nowhere");
  CHECK(room.Refused(step) == v1::CONCURRENT_CHANGE);
  room.engine.ReleaseDone();
  room.Run();
  REQUIRE_OK(**answer);
  CHECK(room.Refused(step) == v1::ALREADY_SETTLED);
}

TEST_CASE("a step that comes again when retention took what caused it is refused as settled",
          "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 2);
  Client& client = room.Work();
  const v1::SettleRequest step = room.Step(client.sink.leased[0], "bill");
  REQUIRE_OK(room.Settle(step));
  room.engine.TrimTo(room.Id(0), Offset(1));
  CHECK(room.Refused(step) == v1::ALREADY_SETTLED);
  v1::SettleRequest to_nowhere = room.Step(client.sink.leased[1], "bill");
  to_nowhere.mutable_publish(0)->set_topic("nowhere");
  CHECK(room.Refused(to_nowhere) == v1::TOPIC_NOT_FOUND);
  REQUIRE_OK(room.Settle(room.Step(client.sink.leased[1])));
  CHECK(room.Refused(to_nowhere) == v1::ALREADY_SETTLED);
}

TEST_CASE("a step whose publish is refused changes nothing", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  v1::SettleRequest request = room.Step(client.sink.leased[0], "bill");
  v1::PartitionBatch* batch = request.add_publish();
  batch->set_topic("bills");
  batch->set_partition(0);
  batch->add_events();
  SECTION("by its check") {
    batch->mutable_events(0)->set_key(std::string(1025, 'k'));
    const auto refused = room.Settle(request);
    CHECK(ReasonOf(refused.status()) == v1::KEY_TOO_LARGE);
    CHECK(DetailsOf(refused.status()).at("batch") == "1");
  }
  SECTION("because its topic is not there") {
    batch->set_topic("nothing");
    CHECK(room.Refused(request) == v1::TOPIC_NOT_FOUND);
  }
  SECTION("because the publisher may not") {
    room.authorizer.refused = "bills";
    CHECK(room.Refused(request) == v1::PERMISSION_DENIED);
    room.authorizer.refused.clear();
  }
  SECTION("by the engine") {
    batch->mutable_expect()->set_end_offset(7);
    const auto refused = room.Settle(request);
    CHECK(ReasonOf(refused.status()) == v1::WRONG_EXPECTED_OFFSET);
    CHECK(DetailsOf(refused.status()).at("batch") == "1");
  }
  SECTION("because the disk is full") {
    room.engine.SetDiskState(DiskState::kSoft);
    CHECK(room.Refused(request) == v1::DISK_FULL);
    room.engine.SetDiskState(DiskState::kOk);
  }
  SECTION("because the queue is full") {
    room.engine.SetRoom(false);
    CHECK(room.Refused(request) == v1::PUBLISH_QUEUE_FULL);
    room.engine.SetRoom(true);
  }
  CHECK(room.Bills().empty());
  CHECK(room.Outstanding() == 1);
  request.mutable_publish()->RemoveLast();
  REQUIRE_OK(room.Settle(request));
  CHECK(room.Outstanding() == 0);
}

TEST_CASE("acks go on while the disk is too full for steps", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 2);
  Client& client = room.Work();
  room.engine.HoldDone();
  const uint64_t first = client.Ack(client.sink.leased[0]);
  const auto answer = room.Begin(room.Step(client.sink.leased[1], "bill"));
  room.engine.SetDiskState(DiskState::kSoft);
  room.engine.ReleaseDone();
  room.Run();
  CHECK(client.sink.acked_through() >= first);
  REQUIRE(answer->has_value());
  CHECK(ReasonOf((*answer)->status()) == v1::DISK_FULL);
  CHECK(room.Outstanding() == 1);
}

TEST_CASE("a step that publishes for later is refused like all publishes when the disk is too full",
          "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  v1::SettleRequest request = room.Step(client.sink.leased[0], "bill");
  request.mutable_publish(0)->set_deliver_at_us(
      absl::ToUnixMicros(room.engine.Now() + absl::Hours(1)));
  room.engine.SetDiskState(DiskState::kSoft);
  CHECK(room.Refused(request) == v1::DISK_FULL);
  CHECK(room.Outstanding() == 1);
  CHECK(room.schedules.waiting() == 0);
}

TEST_CASE("an event that is leased to somebody else is not settled", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& slow = room.Work(1);
  const RecordingSink::Leased late = slow.sink.leased[0];
  Client& other = room.Work(1);
  room.Wait(absl::Seconds(31));
  REQUIRE(other.sink.leased.size() == 1);
  CHECK(room.Refused(room.Step(late, "bill")) == v1::LEASE_LOST);
  CHECK(room.Bills().empty());
  REQUIRE_OK(room.Settle(room.Step(other.sink.leased[0], "bill")));
  CHECK(room.Rows("parked/") == 0);
  CHECK(room.Rows("attempt/") == 0);
  CHECK(room.Outstanding() == 0);
}

TEST_CASE("a token is of one attempt", "[step]") {
  StepRoom room(StepRoom::Attempts(5));
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  client.Nack(client.sink.leased[0]);
  room.Wait(absl::Seconds(5));
  REQUIRE(client.sink.leased.size() == 2);
  REQUIRE(client.sink.leased[1].attempt == 2);
  CHECK(room.Refused(room.Step(client.sink.leased[0], "bill")) == v1::LEASE_LOST);
  REQUIRE_OK(room.Settle(room.Step(client.sink.leased[1], "bill")));
  CHECK(room.Rows("parked/") == 0);
  CHECK(room.Rows("attempt/") == 0);
}

TEST_CASE("what was published before is left out and the step goes through", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  v1::Event before;
  before.set_id("bill-1");
  before.set_data("bill");
  room.PublishEvent(before, "bills");
  Client& client = room.Work();
  v1::SettleRequest request = room.Step(client.sink.leased[0], "bill", "bill-1");
  const auto answer = room.Settle(request);
  REQUIRE_OK(answer);
  REQUIRE(answer->batches(0).duplicates_size() == 1);
  CHECK(answer->batches(0).duplicates(0).offset() == 0);
  CHECK(room.Bills() == Strings{"bill"});
  CHECK(room.Outstanding() == 0);
}

TEST_CASE("of steps that are written together one that fails fails alone", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 4);
  Client& client = room.Work();
  room.engine.HoldDone();
  std::vector<StepRoom::Answer> answers;
  for (int i = 0; i < 4; ++i) {
    v1::SettleRequest request =
        room.Step(client.sink.leased[static_cast<size_t>(i)], absl::StrCat("bill ", i));
    if (i == 2) {
      request.mutable_publish(0)->set_partition(0);
      request.mutable_publish(0)->mutable_expect()->set_end_offset(77);
    }
    answers.push_back(room.Begin(request));
  }
  for (int i = 0; i < 10; ++i) {
    room.engine.ReleaseDone();
    room.Run();
  }
  for (size_t i = 0; i < 4; ++i) {
    INFO(i);
    REQUIRE(answers[i]->has_value());
    CHECK((*answers[i])->ok() == (i != 2));
  }
  CHECK(ReasonOf((*answers[2])->status()) == v1::WRONG_EXPECTED_OFFSET);
  CHECK(room.Bills() == Strings{"bill 0", "bill 1", "bill 3"});
  CHECK(room.Outstanding() == 1);
  REQUIRE_OK(room.Settle(room.Step(client.sink.leased[2], "bill 2")));
  CHECK(room.Outstanding() == 0);
}

TEST_CASE("the lease of an event whose step failed is what it was", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  v1::Settlement extend;
  extend.set_assignment(client.sink.leased[0].assignment);
  extend.set_kind(v1::SETTLE_KIND_EXTEND);
  extend.mutable_delay()->set_seconds(600);
  client.Settle(extend);
  room.Run();
  v1::SettleRequest request = room.Step(client.sink.leased[0], "bill");
  request.mutable_publish(0)->set_partition(0);
  request.mutable_publish(0)->mutable_expect()->set_end_offset(77);
  CHECK(room.Refused(request) == v1::WRONG_EXPECTED_OFFSET);
  room.Wait(absl::Minutes(9));
  CHECK(room.Refused(request) == v1::WRONG_EXPECTED_OFFSET);
  room.Wait(absl::Minutes(2));
  CHECK(room.Refused(request) == v1::LEASE_LOST);
}

TEST_CASE("the event of a step that failed comes again when its member is gone", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  room.engine.HoldDone();
  v1::SettleRequest request = room.Step(client.sink.leased[0], "bill");
  request.mutable_publish(0)->set_partition(0);
  request.mutable_publish(0)->mutable_expect()->set_end_offset(77);
  const auto answer = room.Begin(request);
  client.stream->OnDisconnect();
  room.Run();
  room.engine.ReleaseDone();
  room.Run();
  REQUIRE(answer->has_value());
  CHECK(ReasonOf((*answer)->status()) == v1::WRONG_EXPECTED_OFFSET);
  Client& other = room.Work();
  CHECK(room.DataOf(other) == Strings{"0"});
  CHECK(room.DeadLetters().dead_letters().empty());
}

TEST_CASE("the next of a key comes when the step of the one before is durable", "[step]") {
  StepRoom room(StepRoom::Ordered());
  room.PublishKeyed({{"ann", "a1"}, {"ann", "a2"}});
  Client& client = room.Work();
  REQUIRE(room.DataOf(client) == Strings{"a1"});
  room.engine.HoldDone();
  const auto answer = room.Begin(room.Step(client.sink.leased[0], "bill"));
  CHECK(room.DataOf(client) == Strings{"a1"});
  room.engine.ReleaseDone();
  room.Run();
  REQUIRE(answer->has_value());
  room.Wait(absl::Seconds(1));
  CHECK(room.DataOf(client) == Strings{"a1", "a2"});
}

TEST_CASE("a step may publish for later", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  v1::SettleRequest request = room.Step(client.sink.leased[0], "reminder");
  request.mutable_publish(0)->set_deliver_at_us(
      absl::ToUnixMicros(room.engine.Now() + absl::Hours(1)));
  const auto answer = room.Settle(request);
  REQUIRE_OK(answer);
  CHECK(answer->batches(0).scheduled_size() == 1);
  CHECK(room.schedules.waiting() == 1);
  CHECK(room.Outstanding() == 0);
}

TEST_CASE("what a refused step would publish later comes when the step is sent again", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  v1::SettleRequest request = room.Step(client.sink.leased[0], "later", "x");
  request.mutable_publish(0)->set_deliver_at_us(
      absl::ToUnixMicros(room.engine.Now() + absl::Seconds(10)));
  v1::PartitionBatch* now = request.add_publish();
  now->set_topic("bills");
  now->set_partition(0);
  now->mutable_expect()->set_end_offset(7);
  now->add_events()->set_data("now");
  CHECK(room.Refused(request) == v1::WRONG_EXPECTED_OFFSET);
  CHECK(room.schedules.waiting() == 0);
  now->mutable_expect()->set_end_offset(0);
  const auto answer = room.Settle(request);
  REQUIRE_OK(answer);
  REQUIRE(answer->batches(0).scheduled_size() == 1);
  CHECK_FALSE(answer->batches(0).scheduled(0).duplicate());
  room.Wait(absl::Seconds(15));
  CHECK(room.Bills() == Strings{"now", "later"});
  CHECK(room.schedules.waiting() == 0);
}

TEST_CASE("an event that expires before it is due is appended then, and no queue gets it",
          "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  v1::SettleRequest request = room.Step(client.sink.leased[0], "late");
  request.mutable_publish(0)->set_topic("orders");
  const auto in = [&](absl::Duration time) { return absl::ToUnixMicros(room.engine.Now() + time); };
  request.mutable_publish(0)->set_deliver_at_us(in(absl::Seconds(10)));
  request.mutable_publish(0)->mutable_events(0)->set_expires_at_us(in(absl::Seconds(5)));
  REQUIRE_OK(room.Settle(request));
  room.Wait(absl::Seconds(15));
  CHECK(room.schedules.waiting() == 0);
  CHECK(room.engine.Extent(room.Id(0))->visible_end == Offset(2));
  CHECK(client.sink.leased.size() == 1);
  v1::ListExpiredRequest expired;
  expired.set_group("workers");
  CHECK(room.groups.ListExpired(room.caller, expired)->total() == 1);
  CHECK(room.Outstanding() == 0);
}

TEST_CASE("what is published says what caused it", "[step]") {
  StepRoom room;
  v1::Event order;
  order.set_id("order-7");
  order.set_source("shop");
  SECTION("an event that begins a journey") {}
  SECTION("an event of a journey") { order.set_correlation_id("visit-3"); }
  room.PublishEvent(order);
  Client& client = room.Work();
  REQUIRE_OK(room.Settle(room.Step(client.sink.leased[0], "bill")));
  const v1::BatchContext context = room.ContextOf(room.BillBatches()[0]);
  CHECK(context.causation_id() == "order-7");
  CHECK(context.correlation_id() ==
        (order.correlation_id().empty() ? "order-7" : order.correlation_id()));
  CHECK(context.causation_depth() == 1);
  CHECK(context.principal() == "alice");
}

TEST_CASE("an event without an id is named by its place, and the step says which one it was",
          "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 2);
  Client& client = room.Work();
  v1::SettleRequest request = room.Step(client.sink.leased[0], "bill");
  *request.add_processed() = room.Step(client.sink.leased[1]).processed(0);
  request.mutable_caused_by()->set_delivery_token(client.sink.leased[1].token);
  request.mutable_caused_by()->set_offset(1);
  REQUIRE_OK(room.Settle(request));
  CHECK(room.ContextOf(room.BillBatches()[0]).causation_id() == "orders/0/1");
}

TEST_CASE("a batch of a step may have a cause of its own", "[step]") {
  StepRoom room;
  room.PublishNumbers(0, 2);
  Client& client = room.Work();
  v1::SettleRequest request = room.Step(client.sink.leased[0], "bill");
  *request.add_processed() = room.Step(client.sink.leased[1]).processed(0);
  *request.add_publish() = request.publish(0);
  v1::CausedBy* const cause = request.mutable_publish(1)->mutable_caused_by();
  cause->set_delivery_token(client.sink.leased[1].token);
  cause->set_offset(1);
  REQUIRE_OK(room.Settle(request));
  CHECK(room.ContextOf(room.BillBatches()[0]).causation_id() == "orders/0/0");
  CHECK(room.ContextOf(room.BillBatches()[1]).causation_id() == "orders/0/1");
}

TEST_CASE("a chain of events that cause one another ends at 64", "[step]") {
  StepRoom room;
  v1::Event first;
  first.set_id("first");
  room.PublishEvent(first);
  Client& client = room.Work();
  for (size_t depth = 1; depth <= 64; ++depth) {
    REQUIRE(client.sink.leased.size() == depth);
    v1::SettleRequest request = room.Step(client.sink.leased[depth - 1], "next");
    request.mutable_publish(0)->set_topic("orders");
    REQUIRE_OK(room.Settle(request));
    room.Run();
  }
  v1::SettleRequest request = room.Step(client.sink.leased[64], "next");
  request.mutable_publish(0)->set_topic("orders");
  CHECK(room.Refused(request) == v1::CAUSATION_TOO_DEEP);
  CHECK(room.LimitOf(request) == "max_causation_depth");
  CHECK(room.Outstanding() == 1);
  CHECK(room.Rows("deadletter/") == 0);
}

TEST_CASE("a chain of events that are published for later ends at 64 too", "[step]") {
  StepRoom room;
  v1::Event first;
  first.set_id("first");
  room.PublishEvent(first);
  Client& client = room.Work();
  const auto later = [&](const RecordingSink::Leased& event) {
    v1::SettleRequest request = room.Step(event, "next");
    request.mutable_publish(0)->set_topic("orders");
    request.mutable_publish(0)->set_deliver_at_us(
        absl::ToUnixMicros(room.engine.Now() + absl::Seconds(5)));
    return request;
  };
  for (size_t depth = 1; depth <= 64; ++depth) {
    REQUIRE(client.sink.leased.size() == depth);
    REQUIRE_OK(room.Settle(later(client.sink.leased[depth - 1])));
    room.Wait(absl::Seconds(6));
  }
  REQUIRE(client.sink.leased.size() == 65);
  CHECK(room.Refused(later(client.sink.leased[64])) == v1::CAUSATION_TOO_DEEP);
  CHECK(room.schedules.waiting() == 0);
  CHECK(room.Outstanding() == 1);
}

}  // namespace
}  // namespace acta
