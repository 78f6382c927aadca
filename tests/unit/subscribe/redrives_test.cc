// Redrives at a rate, which the broker takes on by itself.
#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/match.h"
#include "storage/layout/rows.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

// Time passes, with all that is due meanwhile.
void Go(QueueRoom& room, absl::Duration time) {
  constexpr absl::Duration kStep = absl::Milliseconds(10);
  for (; time > absl::ZeroDuration(); time -= kStep) room.Advance(std::min(time, kStep));
}

// `count` events, each a dead letter of the group.
struct DeadRoom : QueueRoom {
  explicit DeadRoom(int count, v1::QueueSettings settings = {}) : QueueRoom(std::move(settings)) {
    for (int i = 0; i < count; ++i) Publish(0, {std::string(1, static_cast<char>('a' + i))});
    Client& client = Work();
    Settle(client, v1::SETTLE_KIND_REJECT);
    client.stream->OnDisconnect();
    Run();
    REQUIRE(DeadLetters().dead_letters_size() == count);
  }

  // Everything the client has and did not settle here.
  void Settle(Client& client, v1::SettleKind kind) {
    for (; settled < client.sink.leased.size(); ++settled) {
      client.Settle(kind, client.sink.leased[settled]);
    }
    Run();
  }
  static v1::StartRedriveRequest AtRate(int64_t rate) {
    v1::StartRedriveRequest request;
    request.set_group("workers");
    request.mutable_selection()->set_all(true);
    request.set_rate(rate);
    return request;
  }
  std::string Start(const v1::StartRedriveRequest& request) {
    const auto started = groups.StartRedrive(caller, request);
    REQUIRE_OK(started);
    CHECK(started->redrive().state() == v1::REDRIVE_STATE_RUNNING);
    return started->redrive().redrive_id();
  }
  v1::ListRedrivesResponse Redrives(GroupRegistry& registry) const {
    v1::ListRedrivesRequest request;
    request.set_group("workers");
    const auto listed = registry.ListRedrives(caller, request);
    REQUIRE_OK(listed);
    return *listed;
  }
  v1::Redrive Newest() { return Redrives(groups).redrives(0); }
  absl::StatusOr<v1::CancelRedriveResponse> Cancel(const std::string& id) {
    v1::CancelRedriveRequest request;
    request.set_group("workers");
    request.set_redrive_id(id);
    return groups.CancelRedrive(caller, request);
  }
  int Dead() { return DeadLetters().dead_letters_size(); }

  size_t settled = 0;
};

TEST_CASE("a redrive with a rate offers so many a second until all are offered", "[queue]") {
  DeadRoom room(10);
  const std::string id = room.Start(DeadRoom::AtRate(5));
  Go(room, absl::Milliseconds(1));
  CHECK(room.Dead() == 9);
  Go(room, absl::Milliseconds(999));
  CHECK(room.Dead() <= 6);
  CHECK(room.Dead() >= 4);
  CHECK(room.Newest().redriven() == 10 - room.Dead());
  CHECK(room.Newest().left() == room.Dead());
  Go(room, absl::Seconds(2));
  CHECK(room.Dead() == 0);
  const v1::Redrive done = room.Newest();
  CHECK(done.redrive_id() == id);
  CHECK(done.state() == v1::REDRIVE_STATE_DONE);
  CHECK(done.selected() == 10);
  CHECK(done.redriven() == 10);
  CHECK(done.left() == 0);
  CHECK(done.by() == room.caller.principal);
  CHECK(done.has_end_time());
}

TEST_CASE("a redrive that waits because as many are parked as may be says so", "[queue]") {
  DeadRoom room(1, QueueRoom::Attempts(2));
  Client& client = room.Work(QueueRoom::kParkedAtOnce);
  room.ParkAsManyAsMayBe(client);
  room.Start(DeadRoom::AtRate(1000));
  Go(room, absl::Seconds(1));
  CHECK(room.Dead() == 1);
  CHECK(absl::StartsWith(room.Newest().text(), "dead letters wait: as many events of"));
  client.stream->OnDisconnect();
  v1::SkipOffsetsRequest skip;
  skip.set_group("workers");
  skip.set_topic("orders");
  skip.set_offset(1);
  skip.set_reason("makes room");
  REQUIRE_OK(room.groups.Skip(room.caller, skip));
  Go(room, absl::Seconds(1));
  CHECK(room.Dead() == 0);
  CHECK(room.Newest().state() == v1::REDRIVE_STATE_DONE);
  CHECK(room.Newest().text().empty());
}

TEST_CASE("a redrive goes on when a disk answers that did not for a moment", "[queue]") {
  DeadRoom room(3);
  room.Start(DeadRoom::AtRate(1000));
  room.engine.FailNextRows(
      Error(v1::DATA_CORRUPTED, "rows cannot be read", {{kIoErrorDetail, "true"}}));
  Go(room, absl::Milliseconds(500));
  CHECK(room.Newest().state() == v1::REDRIVE_STATE_RUNNING);
  CHECK(room.Dead() == 3);
  Go(room, absl::Seconds(2));
  CHECK(room.Newest().state() == v1::REDRIVE_STATE_DONE);
  CHECK(room.Dead() == 0);
}

TEST_CASE("what is redriven says how often it was, and by which redrive", "[queue]") {
  DeadRoom room(3);
  v1::RedriveDeadLettersRequest at_once;
  at_once.set_group("workers");
  at_once.mutable_selection()->add_letters()->set_topic("orders");
  REQUIRE(room.groups.RedriveDeadLetters(room.caller, at_once)->redriven() == 1);
  const std::string id = room.Start(DeadRoom::AtRate(1000));
  Go(room, absl::Seconds(1));
  Client& client = room.Work();
  REQUIRE(client.sink.leased.size() == 3);
  const Strings redrives = {"", id, id};
  for (size_t i = 0; i < 3; ++i) {
    CHECK(client.sink.leased[i].redrives == 1);
    CHECK(client.sink.leased[i].redrive_id == redrives[i]);
    CHECK(client.sink.leased[i].attempt == 1);
  }
  room.settled = 0;
  room.Settle(client, v1::SETTLE_KIND_REJECT);
  const v1::ListDeadLettersResponse letters = room.DeadLetters();
  REQUIRE(letters.dead_letters_size() == 3);
  CHECK(letters.dead_letters(0).redrive_id().empty());
  CHECK(letters.dead_letters(1).redrive_id() == id);
}

TEST_CASE("what dies again, or died later, is not taken by a redrive that runs", "[queue]") {
  DeadRoom room(4);
  room.Start(DeadRoom::AtRate(2));
  Client& client = room.Work();
  room.settled = 0;
  room.Publish(0, {"later"});
  for (int i = 0; i < 40; ++i) {
    Go(room, absl::Milliseconds(100));
    room.Settle(client, v1::SETTLE_KIND_REJECT);
  }
  const v1::Redrive done = room.Newest();
  CHECK(done.state() == v1::REDRIVE_STATE_DONE);
  CHECK(done.redriven() == 4);
  CHECK(done.died_again() >= 3);  // The last one may have died after it ended.
  CHECK(room.Dead() == 5);
  CHECK(client.sink.leased.size() == 5);
}

TEST_CASE("a redrive stops when more died again than may", "[queue]") {
  DeadRoom room(10);
  v1::StartRedriveRequest request = DeadRoom::AtRate(2);
  request.set_stop_if(0.5);
  room.Start(request);
  Client& client = room.Work();
  room.settled = 0;
  for (int i = 0; i < 20; ++i) {
    Go(room, absl::Milliseconds(100));
    room.Settle(client, v1::SETTLE_KIND_REJECT);
  }
  const v1::Redrive stopped = room.Newest();
  CHECK(stopped.state() == v1::REDRIVE_STATE_STOPPED);
  CHECK(stopped.text() == "1 of 1 are dead letters again");
  CHECK(stopped.died_again() == 1);
  CHECK(stopped.left() == 9);
  CHECK(room.Dead() == 10);
}

TEST_CASE("a redrive that ran goes on after a restart, and none is offered twice", "[queue]") {
  DeadRoom room(10);
  v1::StartRedriveRequest request = DeadRoom::AtRate(2);
  request.set_max(8);
  const std::string id = room.Start(request);
  Client& client = room.Work();
  room.settled = 0;
  Go(room, absl::Milliseconds(600));
  room.Settle(client, v1::SETTLE_KIND_REJECT);
  Go(room, absl::Milliseconds(500));
  client.stream->OnDisconnect();
  room.Run();
  const int64_t before = room.Newest().redriven();
  REQUIRE(before > 1);
  REQUIRE(before < 8);
  REQUIRE(room.Newest().died_again() == 2);
  // The first life ends: its timers do not come any more.
  SteppedExecutor pool;
  SteppedTimer timer;
  GroupRegistry again(
      {room.engine, room.clock, room.topics, room.authorizer, pool, timer, GroupLimits()});
  REQUIRE_OK(again.Load());
  CHECK(room.Redrives(again).redrives(0).redriven() == before);
  CHECK(room.Redrives(again).redrives(0).died_again() == 2);
  for (int i = 0; i < 100; ++i) {
    room.clock.Advance(absl::Milliseconds(100));
    timer.Advance(absl::Milliseconds(100));
    pool.RunAll();
  }
  const v1::Redrive done = room.Redrives(again).redrives(0);
  CHECK(done.redrive_id() == id);
  CHECK(done.state() == v1::REDRIVE_STATE_DONE);
  CHECK(done.redriven() == 8);
  CHECK(done.left() == 2);
  const auto parked = room.engine.LoadRows(Family::kState, kParkedRows);
  CHECK(parked->size() == 6);
  for (const auto& [key, value] : *parked) {
    storage::v1::ParkedRecord record;
    REQUIRE(record.ParseFromString(value));
    CHECK(record.attempts_before_size() == 1);
  }
}

TEST_CASE("a redrive holds nobody up while the disk is full, and goes on when it has room",
          "[queue]") {
  DeadRoom room(5);
  const std::string id = room.Start(DeadRoom::AtRate(10));
  room.engine.SetDiskState(DiskState::kHard);
  Go(room, absl::Milliseconds(500));
  CHECK(room.Newest().state() == v1::REDRIVE_STATE_RUNNING);
  room.Work();
  const bool cancelled = GENERATE(false, true);
  if (cancelled) CHECK(ReasonOf(room.Cancel(id).status()) == v1::DISK_FULL);
  room.engine.SetDiskState(DiskState::kOk);
  Go(room, absl::Seconds(4));
  CHECK(room.Newest().state() ==
        (cancelled ? v1::REDRIVE_STATE_CANCELLED : v1::REDRIVE_STATE_DONE));
  CHECK(room.Newest().redriven() == (cancelled ? 1 : 5));
  CHECK(room.Dead() == (cancelled ? 4 : 0));
}

TEST_CASE("a redrive ends when its group, or its topic, goes", "[queue]") {
  DeadRoom room(5);
  room.Start(DeadRoom::AtRate(1));
  SECTION("the group") {
    v1::DeleteGroupRequest remove;
    remove.set_name("workers");
    REQUIRE_OK(room.groups.Delete(room.caller, remove));
    Go(room, absl::Seconds(3));
    CHECK(room.engine.LoadRows(Family::kState, kRedriveRows)->empty());
  }
  SECTION("the topic") {
    room.MakeTopic(1, "other");
    v1::UpdateGroupRequest update;
    update.mutable_group()->set_name("workers");
    update.mutable_group()->add_topics("other");
    update.mutable_update_mask()->add_paths("topics");
    REQUIRE_OK(room.groups.Update(room.caller, update));
    Go(room, absl::Seconds(3));
    CHECK(room.Newest().state() == v1::REDRIVE_STATE_DONE);
    CHECK(room.Newest().left() == 0);
  }
}

TEST_CASE("a redrive that is cancelled stays so, and another one may begin", "[queue]") {
  DeadRoom room(5);
  const std::string id = room.Start(DeadRoom::AtRate(1));
  Go(room, absl::Milliseconds(1));
  const auto another = room.groups.StartRedrive(room.caller, DeadRoom::AtRate(1));
  CHECK(ReasonOf(another.status()) == v1::REDRIVE_RUNNING);
  CHECK(DetailsOf(another.status()).at("redrive_id") == id);
  const auto cancelled = room.Cancel(id);
  REQUIRE_OK(cancelled);
  CHECK(cancelled->redrive().state() == v1::REDRIVE_STATE_CANCELLED);
  CHECK(cancelled->redrive().redriven() == 1);
  Go(room, absl::Seconds(10));
  CHECK(room.Dead() == 4);
  CHECK(room.Cancel(id)->redrive().end_time().seconds() ==
        cancelled->redrive().end_time().seconds());
  room.Start(DeadRoom::AtRate(100));
  Go(room, absl::Seconds(1));
  CHECK(room.Dead() == 0);
  REQUIRE(room.Redrives(room.groups).redrives_size() == 2);
  CHECK(room.Redrives(room.groups).redrives(1).redrive_id() == id);
}

// The dead letters are rows that nothing made; the second life of the registry knows of them.
TEST_CASE("a redrive waits while as many are parked as may be", "[queue]") {
  constexpr int64_t kMostParked = 100'000, kTooMany = 5;
  QueueRoom room;
  Transaction transaction;
  for (int64_t i = 0; i < kMostParked + kTooMany; ++i) {
    storage::v1::DeadLetterRecord letter;
    letter.set_reason(storage::v1::DeadLetterRecord::REJECTED);
    letter.set_attempts(1);
    transaction.rows.push_back({Family::kState,
                                QueueRow(kDeadLetterRows, GroupId(1), room.Id(0), Offset(i)),
                                letter.SerializeAsString()});
  }
  for (int i = 0; i < 101; ++i) room.Publish(0, Strings(1000, "x"));
  storage::v1::PositionRecord position;
  position.set_offset(kMostParked + kTooMany);
  transaction.rows.push_back(
      {Family::kState, PositionRow(GroupId(1), room.Id(0)), position.SerializeAsString()});
  REQUIRE_OK(room.engine.Submit(std::move(transaction)));
  GroupRegistry again(
      {room.engine, room.clock, room.topics, room.authorizer, room.pool, room.timer, {}});
  REQUIRE_OK(again.Load());
  REQUIRE_OK(again.StartRedrive(room.caller, DeadRoom::AtRate(100'000)));
  v1::ListRedrivesRequest list;
  list.set_group("workers");
  Go(room, absl::Seconds(3));
  CHECK(again.ListRedrives(room.caller, list)->redrives(0).left() == kTooMany);
  CHECK(again.ListRedrives(room.caller, list)->redrives(0).state() == v1::REDRIVE_STATE_RUNNING);
  v1::SkipOffsetsRequest skip;
  skip.set_group("workers");
  skip.set_topic("orders");
  skip.set_count(10);
  skip.set_reason("room for others");
  REQUIRE_OK(again.Skip(room.caller, skip));
  Go(room, absl::Seconds(1));
  CHECK(again.ListRedrives(room.caller, list)->redrives(0).left() == 0);
  CHECK(again.ListRedrives(room.caller, list)->redrives(0).state() == v1::REDRIVE_STATE_DONE);
}

TEST_CASE("those redriven often enough stay, and are counted", "[queue]") {
  DeadRoom room(3);
  room.Start(DeadRoom::AtRate(1000));
  Go(room, absl::Seconds(1));
  Client& client = room.Work();
  room.settled = 0;
  room.Settle(client, v1::SETTLE_KIND_REJECT);
  v1::StartRedriveRequest once = DeadRoom::AtRate(1000);
  once.set_max_redrives(1);
  room.Start(once);
  Go(room, absl::Seconds(1));
  CHECK(room.Newest().state() == v1::REDRIVE_STATE_DONE);
  CHECK(room.Newest().too_often() == 3);
  CHECK(room.Newest().redriven() == 0);
  CHECK(room.Newest().left() == 0);
}

TEST_CASE("a group keeps its last redrives, and they go with it", "[queue]") {
  DeadRoom room(1);
  for (int i = 0; i < 25; ++i) {
    room.Start(DeadRoom::AtRate(1));
    REQUIRE_OK(room.Cancel(room.Newest().redrive_id()));
    Go(room, absl::Milliseconds(10));
  }
  CHECK(room.Redrives(room.groups).redrives_size() == 20);
  v1::DeleteGroupRequest remove;
  remove.set_name("workers");
  room.Start(DeadRoom::AtRate(1));
  REQUIRE_OK(room.groups.Delete(room.caller, remove));
  CHECK(room.engine.LoadRows(Family::kState, kRedriveRows)->empty());
}

TEST_CASE("a redrive that cannot be is refused, and nothing is redriven", "[queue]") {
  DeadRoom room(1);
  v1::StartRedriveRequest request = DeadRoom::AtRate(1);
  v1::ErrorReason reason = v1::INVALID_ARGUMENT;
  SECTION("rate of none") { request.set_rate(0); }
  SECTION("rate above the highest") { request.set_rate(100'001); }
  SECTION("stop_if below 0") { request.set_stop_if(-0.1); }
  SECTION("stop_if above 1") { request.set_stop_if(1.1); }
  SECTION("stop_if that is no number") { request.set_stop_if(std::nan("")); }
  SECTION("nothing selected") { request.clear_selection(); }
  SECTION("a max below 0") { request.set_max(-1); }
  SECTION("a name that is no dead letter") {
    request.mutable_selection()->add_letters()->set_topic("other");
    reason = v1::DEAD_LETTER_NOT_FOUND;
  }
  SECTION("a group that is not there") {
    request.set_group("nobody");
    reason = v1::GROUP_NOT_FOUND;
  }
  CHECK(ReasonOf(room.groups.StartRedrive(room.caller, request).status()) == reason);
  Go(room, absl::Seconds(1));
  CHECK(room.Dead() == 1);
}

TEST_CASE("the bounds of a rate are rates", "[queue]") {
  DeadRoom room(1);
  const int64_t rate = GENERATE(1, 100'000);
  room.Start(DeadRoom::AtRate(rate));
  Go(room, absl::Seconds(1));
  CHECK(room.Dead() == 0);
}

TEST_CASE("an event is redriven up to 1,000 times where that is wanted", "[queue]") {
  DeadRoom room(1);
  v1::StartRedriveRequest request = DeadRoom::AtRate(1);
  for (const int32_t times : {-1, 1'001}) {
    request.set_max_redrives(times);
    const absl::Status refused = room.groups.StartRedrive(room.caller, request).status();
    CHECK(ReasonOf(refused) == v1::INVALID_ARGUMENT);
    CHECK(DetailsOf(refused).at("field") == "max_redrives");
  }
  request.set_max_redrives(1'000);
  room.Start(request);
}

TEST_CASE("a redrive that nobody knows is not found", "[queue]") {
  DeadRoom room(1);
  CHECK(ReasonOf(room.Cancel("00c0ffee00c0ffee").status()) == v1::REDRIVE_NOT_FOUND);
  for (const char* id : {"", "c0ffee", "00c0ffee00c0fffg", "00C0FFEE00C0FFEE"}) {
    CHECK(ReasonOf(room.Cancel(id).status()) == v1::INVALID_ARGUMENT);
  }
}

TEST_CASE("an order that is broken has to be accepted by a redrive with a rate", "[queue]") {
  QueueRoom room(QueueRoom::Ordered(v1::ON_EXHAUSTED_DEAD_LETTER));
  room.PublishKeyed({{"k", "first"}, {"k", "second"}});
  Client& client = room.Work();
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased.at(0));
  room.Run();
  client.Ack(client.sink.leased.at(1));
  room.Run();
  v1::StartRedriveRequest request = DeadRoom::AtRate(100);
  CHECK(ReasonOf(room.groups.StartRedrive(room.caller, request).status()) ==
        v1::REORDER_NOT_ACCEPTED);
  request.set_accept_order(true);
  REQUIRE_OK(room.groups.StartRedrive(room.caller, request));
  Go(room, absl::Seconds(1));
  CHECK(room.DeadLetters().dead_letters_size() == 0);
}

}  // namespace
}  // namespace acta
