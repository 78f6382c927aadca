#include "client/cpp/worker_state.h"

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/client/talk_to.h"

namespace acta::client {
namespace {

WorkerOptions OfGroup(int64_t credit = 1'000) {
  WorkerOptions options;
  options.group = std::string("g");
  options.topics.emplace_back("t");
  options.credit_events = credit;
  options.on_settle_error = [](const SettleError&) {};
  return options;
}

// A worker with partition 0 of "t" under assignment 1.
class Work : public TalkTo<WorkerState> {
 public:
  explicit Work(const WorkerOptions& options = OfGroup()) : TalkTo(options) {
    Open();
    Assign(1, 0, 0);
    Ack(1);
  }

  WorkItem Get(int64_t offset, int count = 1, uint64_t assignment = 1) {
    Deliver(assignment, offset, count);
    return NextItem<WorkItem>();
  }
  // The stream breaks and the next one opens.
  v1::SubscribeStart Break() {
    state.OnEnd();
    return Open();
  }
  void Say(const WorkItem& item, v1::SettleKind kind) { state.Settle(item, {kind}); }
  // "ACK 0-4 NACK 7": what the next frame settles; empty: it is none, or another.
  std::string NextSettle(uint64_t assignment = 1) {
    const auto control = state.TakeControl();
    if (!control.has_value() || !control->has_settle()) return "";
    last_frame = control->frame_id();
    std::string text;
    for (const v1::Settlement& one : control->settle().settlements()) {
      CHECK(one.assignment() == assignment);
      absl::StrAppend(&text, text.empty() ? "" : " ",
                      v1::SettleKind_Name(one.kind()).substr(std::string("SETTLE_KIND_").size()),
                      " ", one.offset());
      if (one.count() > 1) absl::StrAppend(&text, "-", one.offset() + one.count() - 1);
    }
    return text;
  }
  // The last settle is answered, with this error of a part of it.
  void Refuse(v1::ErrorReason reason, int64_t offset, int count, uint64_t assignment = 1) {
    v1::DeliveryFrame frame;
    frame.set_acked_through(last_frame);
    v1::ControlError* error = frame.add_errors();
    error->set_frame_id(last_frame);
    error->set_assignment(assignment);
    error->set_offset(offset);
    error->set_count(count);
    *error->mutable_status() = ToProto(Error(reason, "no"));
    Hear(frame);
  }
  SettleError Told() { return NextItem<SettleError>(); }

  uint64_t last_frame = 0;
};

TEST_CASE("an item is events of one lease with its attempt and its end", "[client]") {
  Work work;
  v1::DeliveryFrame frame;
  v1::DeliveredBatch* batch = frame.add_batches();
  batch->set_assignment(1);
  batch->set_base_offset(7);
  batch->set_attempt(3);
  batch->set_lease_until_us(9'000'000);
  batch->add_events()->set_id("a");
  batch->add_events()->set_id("b");
  work.Hear(frame);
  const auto item = work.NextItem<WorkItem>();
  CHECK(item.topic() == "t");
  CHECK(item.partition() == 0);
  CHECK(item.base_offset() == 7);
  CHECK(item.count() == 2);
  CHECK(item.attempt() == 3);
  CHECK(item.lease_until() == absl::FromUnixSeconds(9));
  CHECK((*item.Parse())[1].id() == "b");
}

TEST_CASE("a worker starts with its group and its topics, and again under its name", "[client]") {
  WorkerOptions options = OfGroup();
  options.create_mode = v1::GROUP_MODE_QUEUE;
  options.create_at.emplace().set_earliest(true);
  TalkTo<WorkerState> talk(options);
  const v1::SubscribeStart start = talk.Open();
  CHECK(start.group() == "g");
  CHECK(start.mode() == v1::GROUP_MODE_QUEUE);
  CHECK(start.create_at().earliest());
  CHECK(start.topics(0).topic() == "t");
  CHECK(start.credit().events() == 1'000);
  CHECK(start.held_size() == 0);
  talk.Note("MEMBER_ID", "m7");
  CHECK(talk.NextItem<v1::Notice>().text() == "m7");
  talk.state.OnEnd();
  CHECK(talk.Open().member_id() == "m7");
}

TEST_CASE("acks of neighbours travel as one, whatever their order", "[client]") {
  Work work;
  std::vector<WorkItem> items;
  for (int64_t offset = 0; offset < 6; ++offset) items.push_back(work.Get(offset));
  for (const size_t i : {5, 1, 0, 3, 2}) work.Say(items[i], v1::SETTLE_KIND_ACK);
  CHECK(work.NextSettle() == "ACK 0-3 ACK 5");
  CHECK_FALSE(work.state.Settled());
  CHECK_FALSE(work.state.HasControl());
  work.Ack(work.last_frame);
  CHECK(work.state.Settled());
  CHECK_OK(work.state.TakeFailure());
}

TEST_CASE("what is settled while a frame is on its way goes into the next", "[client]") {
  Work work;
  const WorkItem first = work.Get(0);
  const WorkItem second = work.Get(1, 3);
  work.Say(first, v1::SETTLE_KIND_EXTEND);
  work.Say(first, v1::SETTLE_KIND_ACK);
  CHECK(work.NextSettle() == "EXTEND 0 ACK 0");
  work.state.Settle("t", 0, 2, 1, {v1::SETTLE_KIND_NACK});
  work.Say(second, v1::SETTLE_KIND_RELEASE);
  CHECK(work.NextSettle() == "NACK 2 RELEASE 1 RELEASE 3");
  CHECK(work.NextSettle().empty());
}

TEST_CASE("a nack carries its delay and its words", "[client]") {
  Work work;
  const WorkItem item = work.Get(0);
  work.state.Settle(item, {v1::SETTLE_KIND_NACK, absl::Milliseconds(1500), "busy", "later"});
  const v1::Settlement one = work.NextControl().settle().settlements(0);
  CHECK(one.delay().seconds() == 1);
  CHECK(one.delay().nanos() == 500'000'000);
  CHECK(one.reason() == "busy");
  CHECK(one.text() == "later");
}

TEST_CASE("words that the broker would not take are refused, and the event can be settled",
          "[client]") {
  Work work;
  const WorkItem item = work.Get(0);
  for (const Verdict& bad : {Verdict{v1::SETTLE_KIND_NACK, {}, "no word", ""},
                             Verdict{v1::SETTLE_KIND_NACK, {}, std::string(65, 'a'), ""},
                             Verdict{v1::SETTLE_KIND_REJECT, {}, "", "\xff"},
                             Verdict{v1::SETTLE_KIND_REJECT, {}, "", std::string(1025, 'a')}}) {
    work.state.Settle(item, bad);
    CHECK(ReasonOf(work.Told().status) == v1::INVALID_ARGUMENT);
  }
  CHECK(work.state.Settled());
  work.Say(item, v1::SETTLE_KIND_ACK);
  CHECK(work.NextSettle() == "ACK 0");
}

TEST_CASE("a frame stays below the limits and the next goes on", "[client]") {
  Work work(OfGroup(200'000));
  constexpr int kMany = 70'000;
  work.Say(work.Get(0, kMany), v1::SETTLE_KIND_ACK);
  CHECK(work.NextSettle() == "ACK 0-65535");
  CHECK(work.NextSettle() == "ACK 65536-69999");

  for (int64_t offset = 0; offset < 10'000; ++offset) {
    work.Say(work.Get(100'000 + offset * 2), v1::SETTLE_KIND_NACK);
  }
  int frames = 0;
  int settlements = 0;
  while (settlements < 10'000) {
    const v1::SubscribeControl control = work.NextControl();
    if (!control.has_settle()) continue;
    CHECK(control.ByteSizeLong() <= 60 << 10);
    settlements += control.settle().settlements_size();
    ++frames;
    work.Ack(control.frame_id());
  }
  CHECK(settlements == 10'000);
  CHECK(frames > 1);
}

TEST_CASE("the last offsets that there may be are settled like others", "[client]") {
  Work work;
  constexpr int64_t kLast = std::numeric_limits<int64_t>::max() - 3;
  work.Say(work.Get(kLast - 1, 2), v1::SETTLE_KIND_NACK);
  work.Say(work.Get(kLast - 5, 2), v1::SETTLE_KIND_ACK);
  CHECK(work.NextSettle() ==
        absl::StrCat("NACK ", kLast - 1, "-", kLast, " ACK ", kLast - 5, "-", kLast - 4));
  CHECK(work.Break().held_size() == 2);
}

TEST_CASE("at most 4 settles are under way, and what waits travels together", "[client]") {
  Work work;
  for (int64_t offset = 0; offset < 4; ++offset) {
    work.Say(work.Get(offset), v1::SETTLE_KIND_ACK);
    CHECK_FALSE(work.NextSettle().empty());
  }
  const uint64_t last = work.last_frame;
  work.Say(work.Get(4), v1::SETTLE_KIND_ACK);
  work.Say(work.Get(5), v1::SETTLE_KIND_ACK);
  CHECK_FALSE(work.state.TakeControl().has_value());
  CHECK(work.state.HasControl());
  work.Ack(last);
  CHECK(work.NextSettle() == "ACK 4-5");
}

TEST_CASE("what did not count is told by its events", "[client]") {
  Work work;
  work.Say(work.Get(0, 10), v1::SETTLE_KIND_ACK);
  CHECK(work.NextSettle() == "ACK 0-9");
  work.Refuse(v1::LEASE_LOST, 3, 2);
  const SettleError told = work.Told();
  CHECK(told.topic == "t");
  CHECK(told.partition == 0);
  CHECK(told.offset == 3);
  CHECK(told.count == 2);
  CHECK(told.kind == v1::SETTLE_KIND_ACK);
  CHECK(ReasonOf(told.status) == v1::LEASE_LOST);
  CHECK(work.state.Settled());
  CHECK(ReasonOf(work.state.TakeFailure()) == v1::LEASE_LOST);
  CHECK_OK(work.state.TakeFailure());
}

TEST_CASE("a group that is no queue ends the worker and fails each settlement", "[client]") {
  Work work;
  work.Say(work.Get(0), v1::SETTLE_KIND_ACK);
  work.Say(work.Get(5), v1::SETTLE_KIND_NACK);
  CHECK(work.NextSettle() == "NACK 5 ACK 0");
  work.Refuse(v1::WRONG_GROUP_MODE, 0, 0, 0);
  CHECK(ReasonOf(work.state.failure()) == v1::WRONG_GROUP_MODE);
  CHECK(work.Told().offset == 5);
  CHECK(work.Told().offset == 0);
  CHECK_FALSE(work.state.HasItem());
}

TEST_CASE("what a worker does not have is not settled", "[client]") {
  Work work;
  const WorkItem item = work.Get(0, 2);
  work.Say(item, v1::SETTLE_KIND_ACK);
  work.Say(item, v1::SETTLE_KIND_ACK);
  CHECK(work.Told().count == 2);
  work.Get(5);
  work.state.Settle("t", 0, 4, 3, {v1::SETTLE_KIND_ACK});
  CHECK(work.Told().offset == 4);
  CHECK(work.Told().offset == 6);
  work.state.Settle("other", 0, 4, 1, {v1::SETTLE_KIND_ACK});
  CHECK(ReasonOf(work.Told().status) == v1::LEASE_LOST);
  work.state.Settle("t", 0, -1, 1, {v1::SETTLE_KIND_ACK});
  CHECK(ReasonOf(work.Told().status) == v1::INVALID_ARGUMENT);
  CHECK(work.NextSettle() == "ACK 0-1 ACK 5");
}

TEST_CASE("the rest of an item is settled as one", "[client]") {
  Work work;
  const WorkItem item = work.Get(0, 5);
  work.state.Settle("t", 0, 2, 1, {v1::SETTLE_KIND_REJECT});
  work.Say(item, v1::SETTLE_KIND_ACK);
  CHECK(work.NextSettle() == "REJECT 2 ACK 0-1 ACK 3-4");
  CHECK_FALSE(work.state.HasItem());
}

TEST_CASE("credit comes back as events are settled, in large pieces", "[client]") {
  Work work(OfGroup(100));
  const WorkItem item = work.Get(0, 40);
  work.state.Settle("t", 0, 0, 20, {v1::SETTLE_KIND_ACK});
  CHECK(work.NextSettle() == "ACK 0-19");
  CHECK_FALSE(work.state.HasControl());
  work.Say(item, v1::SETTLE_KIND_NACK);
  CHECK(work.NextSettle() == "NACK 20-39");
  const v1::SubscribeControl credit = work.NextControl();
  CHECK(credit.credit().events() == 40);
  CHECK(credit.credit().bytes() == 40 * 5);
  CHECK_FALSE(work.state.HasControl());
}

TEST_CASE("little credit comes back at once, and extending gives none", "[client]") {
  Work work(OfGroup(5));
  const WorkItem item = work.Get(0);
  work.Say(item, v1::SETTLE_KIND_EXTEND);
  CHECK(work.NextSettle() == "EXTEND 0");
  CHECK_FALSE(work.state.HasControl());
  work.Say(item, v1::SETTLE_KIND_ACK);
  CHECK(work.NextSettle() == "ACK 0");
  CHECK(work.NextControl().credit().events() == 1);
}

TEST_CASE("events that come again end the lease before them", "[client]") {
  Work work(OfGroup(5));
  const WorkItem before = work.Get(0, 2);
  const WorkItem after = work.Get(1, 2);
  CHECK(work.NextControl().credit().events() == 1);
  work.Say(before, v1::SETTLE_KIND_NACK);
  work.Say(after, v1::SETTLE_KIND_ACK);
  CHECK(work.NextSettle() == "NACK 0 ACK 1-2");
}

TEST_CASE("a break drops what waits and names what is held", "[client]") {
  Work work;
  const WorkItem done = work.Get(0, 3);
  const WorkItem running = work.Get(3, 2);
  work.Get(9);
  work.Deliver(1, 20);
  work.Say(done, v1::SETTLE_KIND_ACK);
  CHECK(work.NextSettle() == "ACK 0-2");
  const v1::SubscribeStart start = work.Break();
  REQUIRE(start.held_size() == 2);
  CHECK(start.held(0).topic() == "t");
  CHECK(start.held(0).offset() == 0);
  CHECK(start.held(0).count() == 5);
  CHECK(start.held(1).offset() == 9);
  CHECK(start.held(1).count() == 1);
  CHECK_FALSE(work.state.HasItem());

  CHECK(work.NextSettle().empty());  // Not before the start is answered.
  work.Assign(8, 0, 0);
  CHECK(work.NextSettle().empty());
  work.Ack(1);
  CHECK(work.NextSettle(8) == "ACK 0-2");
  work.Say(running, v1::SETTLE_KIND_ACK);
  CHECK(work.NextSettle(8) == "ACK 3-4");
  CHECK_FALSE(work.state.HasControl());  // Their credit went with the stream.
}

TEST_CASE("what is held is named with the generation it came under", "[client]") {
  Work work;
  v1::DeliveryFrame frame;
  v1::Assigned* const assigned = frame.add_assigned();
  assigned->set_assignment(1);
  assigned->set_topic("t");
  assigned->set_generation(7);
  work.Hear(frame);
  work.Get(0);
  const v1::SubscribeStart start = work.Break();
  REQUIRE(start.held_size() == 1);
  CHECK(start.held(0).generation() == 7);
}

TEST_CASE("a settlement that counted before the break is no failure", "[client]") {
  Work work;
  const WorkItem item = work.Get(0, 2);
  work.Say(item, v1::SETTLE_KIND_ACK);
  CHECK(work.NextSettle() == "ACK 0-1");
  work.Break();
  work.Assign(2, 0, 0);
  work.Ack(1);
  CHECK(work.NextSettle(2) == "ACK 0-1");
  work.Refuse(v1::ALREADY_SETTLED, 0, 2, 2);
  CHECK(work.state.Settled());
  CHECK_OK(work.state.TakeFailure());

  work.Say(work.Get(5, 1, 2), v1::SETTLE_KIND_ACK);
  CHECK(work.NextSettle(2) == "ACK 5");
  work.Refuse(v1::ALREADY_SETTLED, 5, 1, 2);
  CHECK(ReasonOf(work.state.TakeFailure()) == v1::ALREADY_SETTLED);
}

TEST_CASE("what the broker did not keep is lost, now and later", "[client]") {
  Work work;
  const WorkItem done = work.Get(0);
  const WorkItem failed = work.Get(5);
  const WorkItem running = work.Get(9);
  work.Say(done, v1::SETTLE_KIND_ACK);
  work.Say(failed, v1::SETTLE_KIND_NACK);
  CHECK(work.Break().held_size() == 3);
  work.Ack(1);
  CHECK(work.Told().offset == 0);
  const SettleError told = work.Told();
  CHECK(told.offset == 5);
  CHECK(told.kind == v1::SETTLE_KIND_NACK);
  CHECK(ReasonOf(told.status) == v1::LEASE_LOST);
  CHECK(work.state.Settled());
  work.Say(running, v1::SETTLE_KIND_ACK);
  CHECK(work.Told().offset == 9);
  CHECK(ReasonOf(work.state.TakeFailure()) == v1::LEASE_LOST);
}

TEST_CASE("a nack from before a break does not hit the new lease, a late ack counts", "[client]") {
  Work work;
  const WorkItem failed = work.Get(0);
  const WorkItem done = work.Get(5);
  work.Say(failed, v1::SETTLE_KIND_NACK);
  work.Say(done, v1::SETTLE_KIND_ACK);
  CHECK(work.NextSettle() == "NACK 0 ACK 5");
  work.Break();
  work.Assign(2, 0, 0);
  work.Deliver(2, 0);
  work.Deliver(2, 5);
  work.Ack(1);
  CHECK(work.Told().kind == v1::SETTLE_KIND_NACK);
  CHECK(work.NextSettle(2) == "ACK 5");
  const auto again = work.NextItem<WorkItem>();
  work.Say(failed, v1::SETTLE_KIND_ACK);
  CHECK(ReasonOf(work.Told().status) == v1::LEASE_LOST);
  work.Say(again, v1::SETTLE_KIND_ACK);
  CHECK(work.NextSettle(2) == "ACK 0");
}

TEST_CASE("events of a step give their credit back and are not held", "[client]") {
  Work work(OfGroup(5));
  const WorkItem done = work.Get(0, 2);
  const WorkItem lost = work.Get(5);
  work.Get(9);
  work.state.Forget(done, /*lost=*/false);
  CHECK(work.NextControl().credit().events() == 2);
  work.state.Forget(lost, /*lost=*/true);
  CHECK(work.NextControl().credit().events() == 1);
  CHECK_FALSE(work.state.HasControl());
  const v1::SubscribeStart start = work.Break();
  REQUIRE(start.held_size() == 1);
  CHECK(start.held(0).offset() == 9);
}

TEST_CASE("what the broker kept over a break and a step cannot settle is given back", "[client]") {
  Work work;
  const WorkItem kept = work.Get(0, 3);
  const WorkItem other = work.Get(7);
  CHECK(work.Break().held_size() == 2);
  work.Assign(2, 0, 0);
  SECTION("when the broker has named it") {
    work.Ack(1);
    work.state.Forget(kept, /*lost=*/true);
    work.state.Forget(other, /*lost=*/false);
    CHECK(work.NextSettle(2) == "RELEASE 0-2");
    work.Refuse(v1::LEASE_LOST, 0, 3, 2);
  }
  SECTION("and not when it came again before") {
    work.state.Forget(kept, /*lost=*/true);
    work.Deliver(2, 0, 3);
    work.Ack(1);
    CHECK(work.NextSettle(2).empty());
    work.NextItem<WorkItem>();
  }
  // That was nobody's wish, and nobody is told of it.
  CHECK(work.state.Settled());
  CHECK_OK(work.state.TakeFailure());
  CHECK_FALSE(work.state.HasItem());
}

TEST_CASE("more than a start can hold is lost", "[client]") {
  Work work(OfGroup(100'000));
  for (int64_t offset = 0; offset < 6'000; ++offset) work.Get(offset * 2);
  work.Assign(2, 1, 0);
  work.Get(7, 1, 2);
  const v1::SubscribeStart start = work.Break();
  REQUIRE(start.held_size() == 1);
  CHECK(start.held(0).partition() == 1);
  CHECK(start.ByteSizeLong() < 60 << 10);
  work.state.Settle("t", 0, 0, 1, {v1::SETTLE_KIND_ACK});
  CHECK(ReasonOf(work.Told().status) == v1::LEASE_LOST);
}

TEST_CASE("what is abandoned is told", "[client]") {
  Work work;
  work.Say(work.Get(0), v1::SETTLE_KIND_ACK);
  CHECK(work.NextSettle() == "ACK 0");
  work.Say(work.Get(1), v1::SETTLE_KIND_REJECT);
  work.Say(work.Get(2), v1::SETTLE_KIND_ACK);
  work.state.Abandon(absl::UnavailableError("gone"));
  CHECK(work.state.Settled());
  std::vector<int64_t> offsets;
  for (const SettleError& error : work.state.TakeErrors()) offsets.push_back(error.offset);
  CHECK(offsets == std::vector<int64_t>{0, 1, 2});
  CHECK(work.state.TakeFailure().code() == absl::StatusCode::kUnavailable);
}

TEST_CASE("a refused membership ends the worker, a gap only its partition", "[client]") {
  Work work;
  work.Gap(1);
  CHECK(DetailsOf(work.NextItem<absl::Status>())["partition"] == "0");
  CHECK_OK(work.state.failure());
  work.state.OnEnd();
  work.Open();
  work.Ack(1, 1);
  CHECK(ReasonOf(work.state.failure()) == v1::FENCED);
}

TEST_CASE("a silent worker ticks, also while it waits for answers", "[client]") {
  Work work;
  work.state.Tick();
  work.state.Tick();
  CHECK(work.NextControl().has_tick());
  CHECK_FALSE(work.state.HasControl());
}

}  // namespace
}  // namespace acta::client
