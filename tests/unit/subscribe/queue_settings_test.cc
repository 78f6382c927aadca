// A QUEUE group changes while it is at work: settings, topics, positions.
#include "storage/layout/rows.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

v1::QueueSettings Order(v1::QueueOrder order) {
  v1::QueueSettings settings;
  settings.set_order(order);
  return settings;
}

// A group that the registry does not know.
constexpr GroupId kOther(99);

// How many events the member gets now.
int64_t Take(GroupQueue& queue, uint64_t session) {
  std::vector<QueueDelivery> out;
  std::vector<QueueProblem> problems;
  queue.Take(session, {100, 10'000}, &out, &problems);
  CHECK(problems.empty());
  int64_t events = 0;
  for (const QueueDelivery& delivery : out) events += delivery.count;
  return events;
}

v1::UpdateGroupRequest TopicsOf(const Strings& topics) {
  v1::UpdateGroupRequest request;
  request.mutable_group()->set_name("workers");
  for (const std::string& topic : topics) request.mutable_group()->add_topics(topic);
  request.mutable_update_mask()->add_paths("topics");
  return request;
}

// A next life in which the topic is gone and nothing else of it: what a kill leaves that comes when
// its deletion is on the disk and its groups have not heard of it.
std::unique_ptr<MemoryLogEngine> KilledWhileDeleting(const QueueRoom& room) {
  std::unique_ptr<MemoryLogEngine> stored = room.engine.Restart();
  Transaction deletion;
  deletion.rows.push_back({Family::kMeta, TopicRow("default", "orders"), std::nullopt});
  REQUIRE_OK(stored->Submit(std::move(deletion)));
  return stored;
}

// The group reads `flights` too and has all kinds of rows of `orders`: events that failed, is dead,
// and was acked, and copies. It has as many dead letters as it may, and no member.
void MakeRowsOfOrders(QueueRoom& room) {
  room.MakeTopic(1, "flights");
  REQUIRE_OK(room.groups.Update(room.caller, TopicsOf({"orders", "flights"})));
  room.PublishNumbers(0, 3);
  Client& client = room.Work();
  REQUIRE(client.sink.leased.size() == 3);
  client.Nack(client.sink.leased[0]);
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased[1]);
  client.Ack(client.sink.leased[2]);
  room.Run();
  room.engine.TrimTo(room.Id(0), Offset(2));
  client.stream->OnHalfClose();
  room.Run();
  for (const char* kind : {kParkedRows, kAttemptRows, kDeadLetterRows, kKeptRows}) {
    INFO(kind);
    REQUIRE(room.Rows(kind) > 0);
  }
  REQUIRE(room.Rows(kPositionRows) == 2);
}

void CheckNoRowsOfOrders(const QueueRoom& room, size_t positions) {
  for (const char* kind : {kParkedRows, kAttemptRows, kDeadLetterRows, kKeptRows}) {
    INFO(kind);
    CHECK(room.Rows(kind) == 0);
  }
  CHECK(room.Rows(kPositionRows) == positions);
}

v1::QueueSettings OneLetter() {
  v1::QueueSettings settings = QueueRoom::Attempts(5);
  settings.set_max_dead_letters(1);
  return settings;
}

TEST_CASE("settings change for members that are connected, from the next lease on", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(5));
  room.Publish(0, {"a"});
  Client& client = room.Work();
  const int64_t first_until_us = client.sink.leased.at(0).until_us;
  v1::QueueSettings settings;
  settings.mutable_lease()->set_seconds(90);
  settings.set_max_attempts(1);
  settings.mutable_backoff_initial()->set_seconds(7);
  REQUIRE_OK(room.Update({"queue.lease", "queue.max_attempts", "queue.backoff_initial"}, settings));
  room.Run();
  room.Publish(0, {"b"});
  room.Run();
  REQUIRE(client.sink.leased.size() == 2);
  CHECK(client.sink.leased[0].until_us == first_until_us);
  CHECK(client.sink.leased[1].until_us ==
        absl::ToUnixMicros(room.engine.Now() + absl::Seconds(90)));
  client.Nack(client.sink.leased[0]);
  room.Run();
  CHECK(room.DeadLetters().dead_letters_size() == 1);
  settings.set_max_attempts(3);
  REQUIRE_OK(room.Update({"queue.max_attempts"}, settings));
  client.Nack(client.sink.leased[1]);
  room.Advance(absl::Milliseconds(6999));
  CHECK(client.sink.leased.size() == 2);
  room.Advance(absl::Milliseconds(1));
  CHECK(client.sink.leased.size() == 3);
}

TEST_CASE("an extension that names no time has that of the settings of now", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& client = room.Work();
  v1::QueueSettings settings;
  settings.mutable_lease()->set_seconds(300);
  REQUIRE_OK(room.Update({"queue.lease"}, settings));
  client.Settle(v1::SETTLE_KIND_EXTEND, client.sink.leased.at(0));
  room.Wait(absl::Seconds(295));
  CHECK(client.sink.leased.size() == 1);
  client.Tick();
  room.Advance(absl::Seconds(6));
  CHECK(client.sink.leased.size() == 2);
}

TEST_CASE("an update changes the settings that it names, and a restart finds them", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(5));
  v1::QueueSettings settings;
  settings.mutable_lease()->set_seconds(60);
  settings.set_max_attempts(9);
  settings.set_max_dead_letters(17);
  // What is named and not set has its default.
  REQUIRE_OK(
      room.Update({"queue.lease", "queue.max_dead_letters", "queue.backoff_jitter"}, settings));
  CHECK(room.Settings().lease().seconds() == 60);
  CHECK(room.Settings().max_attempts() == 5);
  CHECK(room.Settings().max_dead_letters() == 17);
  CHECK(room.Settings().backoff_jitter() == 0.2);
  GroupRegistry again(
      {room.engine, room.clock, room.topics, room.authorizer, room.pool, room.timer, {}});
  REQUIRE_OK(again.Load());
  v1::GetGroupRequest get;
  get.set_name("workers");
  CHECK(again.Get(room.caller, get)->group().queue().SerializeAsString() ==
        room.Settings().SerializeAsString());
  settings.Clear();
  settings.set_order(v1::QUEUE_ORDER_KEY);
  REQUIRE_OK(room.Update({"queue"}, settings));
  CHECK(room.Settings().lease().seconds() == 30);
  CHECK(room.Settings().max_attempts() == 10);
  CHECK(room.Settings().on_exhausted() == v1::ON_EXHAUSTED_HOLD_KEY);
}

TEST_CASE("an update of settings is refused as a whole", "[queue]") {
  QueueRoom room;
  const std::string before = room.Settings().SerializeAsString();
  v1::QueueSettings settings;
  settings.mutable_lease()->set_seconds(60);
  settings.set_max_attempts(0);
  CHECK(ReasonOf(room.Update({"queue.lease", "queue.max_attempts"}, settings)) ==
        v1::INVALID_ARGUMENT);
  settings.set_max_attempts(1001);
  CHECK(ReasonOf(room.Update({"queue.lease", "queue.max_attempts"}, settings)) ==
        v1::INVALID_ARGUMENT);
  settings.set_order(static_cast<v1::QueueOrder>(9));
  CHECK(ReasonOf(room.Update({"queue.lease", "queue.order"}, settings)) == v1::UNKNOWN_ENUM_VALUE);
  for (const char* field : {"queue.", "queue.leese", "mode", "name", "pause", "members"}) {
    INFO(field);
    CHECK(ReasonOf(room.Update({"queue.lease", field}, settings)) == v1::INVALID_ARGUMENT);
  }
  room.engine.FailNextSubmit(Error(v1::DISK_FULL, "full"));
  CHECK(ReasonOf(room.Update({"queue.lease"}, settings)) == v1::DISK_FULL);
  CHECK(room.Settings().SerializeAsString() == before);
  room.Subscribe(room.Member("stream"));
  v1::UpdateGroupRequest stream;
  stream.mutable_group()->set_name("stream");
  stream.mutable_update_mask()->add_paths("queue.lease");
  CHECK(ReasonOf(room.groups.Update(room.caller, stream).status()) == v1::WRONG_GROUP_MODE);
}

TEST_CASE("with more dead letters allowed a group that stood still goes on at once", "[queue]") {
  v1::QueueSettings settings;
  settings.set_max_dead_letters(1);
  QueueRoom room(settings);
  room.PublishNumbers(0, 2);
  Client& client = room.Work(1);
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased.at(0));
  client.Credit(1, 1000);
  room.Run();
  REQUIRE(client.sink.leased.size() == 1);
  settings.set_max_dead_letters(2);
  REQUIRE_OK(room.Update({"queue.max_dead_letters"}, settings));
  room.Run();
  REQUIRE(client.sink.leased.size() == 2);
  // With fewer than there are nothing is dropped.
  settings.set_max_dead_letters(1);
  REQUIRE_OK(room.Update({"queue.max_dead_letters"}, settings));
  room.Publish(0, {"2"});
  client.Credit(1, 1000);
  room.Run();
  CHECK(client.sink.leased.size() == 2);
  CHECK(room.DeadLetters().dead_letters_size() == 1);
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_DEAD_LETTERS_FULL);
}

TEST_CASE("dead letters go by the retention of now", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& client = room.Work();
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased.at(0));
  room.Advance(absl::Minutes(15));
  CHECK(room.DeadLetters().dead_letters_size() == 1);
  v1::QueueSettings settings;
  settings.mutable_dead_letter_retention()->set_seconds(60);
  REQUIRE_OK(room.Update({"queue.dead_letter_retention"}, settings));
  room.Advance(absl::Minutes(10));
  CHECK(room.DeadLetters().dead_letters().empty());
}

TEST_CASE("the order changes while nobody is a member, for what is outstanding too", "[queue]") {
  QueueRoom room;
  room.PublishKeyed({{"k", "1"}, {"k", "2"}, {"j", "3"}});
  Client& client = room.Work();
  REQUIRE(room.DataOf(client) == Strings{"1", "2", "3"});
  CHECK(ReasonOf(room.Update({"queue.order"}, Order(v1::QUEUE_ORDER_KEY))) == v1::GROUP_IN_USE);
  REQUIRE_OK(room.Update({"queue.order"}, Order(v1::QUEUE_ORDER_UNORDERED)));
  client.stream->OnHalfClose();
  room.Run();
  REQUIRE_OK(room.Update({"queue.order"}, Order(v1::QUEUE_ORDER_KEY)));
  room.PublishKeyed({{"k", "4"}, {"j", "5"}});
  Client& next = room.Work();
  REQUIRE(room.DataOf(next) == Strings{"1", "3"});
  next.Ack(next.sink.leased[0]);
  room.Run();
  REQUIRE(room.DataOf(next) == Strings{"1", "3", "2"});
  next.Ack(next.sink.leased[2]);
  next.Ack(next.sink.leased[1]);
  room.Run();
  CHECK(room.DataOf(next) == Strings{"1", "3", "2", "4", "5"});
  CHECK(room.Lag("workers", 0).queue().leased() == 2);
}

TEST_CASE("an order becomes stricter when nothing has failed, and looser always", "[queue]") {
  v1::QueueSettings settings = QueueRoom::Ordered();
  settings.set_max_attempts(2);
  settings.set_backoff_jitter(0);
  QueueRoom room(settings);
  room.PublishKeyed({{"k", "1"}, {"k", "2"}});
  Client& client = room.Work();
  client.Nack(client.sink.leased.at(0));
  room.Run();
  REQUIRE(room.DataOf(client) == Strings{"1"});
  client.stream->OnHalfClose();
  room.Run();
  REQUIRE_OK(room.Update({"queue.order"}, Order(v1::QUEUE_ORDER_KEY_RELAXED)));
  CHECK(room.Lag("workers", 0).queue().retry_wait() >= 1);
  Client& next = room.Work();
  CHECK(room.DataOf(next) == Strings{"2"});
  next.stream->OnHalfClose();
  room.Run();
  CHECK(ReasonOf(room.Update({"queue.order"}, Order(v1::QUEUE_ORDER_KEY))) ==
        v1::REORDER_NOT_ACCEPTED);
  REQUIRE_OK(room.Update({"queue.order"}, Order(v1::QUEUE_ORDER_UNORDERED)));
  Client& last = room.Work();
  room.Advance(absl::Seconds(1));
  CHECK(room.DataOf(last) == Strings{"2", "1"});
  for (const RecordingSink::Leased& event : last.sink.leased) last.Ack(event);
  room.Run();
  last.stream->OnHalfClose();
  room.Run();
  CHECK_OK(room.Update({"queue.order"}, Order(v1::QUEUE_ORDER_KEY)));
}

TEST_CASE("a queue that an update could not take away is given back with what waits", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(5));
  room.MakeTopic(1, "flights");
  room.Publish(0, {"a", "b"});
  Client& client = room.Work();
  client.Nack(client.sink.leased.at(0));
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased.at(1));
  room.Run();
  REQUIRE(room.engine.LoadRows(Family::kState, kParkedRows)->size() == 1);
  room.engine.FailNextSubmit(Error(v1::DISK_FULL, "full"));
  CHECK(ReasonOf(room.groups.Update(room.caller, TopicsOf({"flights"})).status()) == v1::DISK_FULL);
  room.Run();
  CHECK(room.Lag("workers", 0).queue().retry_wait() == 1);
  CHECK(room.Lag("workers", 0).queue().dead_letters() == 1);
  room.Advance(absl::Seconds(1));
  REQUIRE(client.sink.leased.size() == 3);
  CHECK(client.sink.leased[2].data == "a");
  CHECK(client.sink.leased[2].attempt == 2);
  client.Ack(client.sink.leased[2]);
  room.Run();
  CHECK(room.Lag("workers", 0).lag_events() == 0);
  CHECK(room.engine.LoadRows(Family::kState, kParkedRows)->empty());
}

TEST_CASE("what was settled is written although its partition is taken out", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 3);
  const auto queue = GroupQueue::Make({room.engine, room.pool, room.timer}, kOther, {}, {});
  queue->Add({room.Id(0), {}, {}, false});
  queue->Join(1, {}, [] {});
  REQUIRE(Take(*queue, 1) == 3);
  int durable = 0;
  const auto count = [&durable](const absl::Status& status) { durable += status.ok(); };
  QueueSettlement ack;
  ack.partition = room.Id(0);
  room.engine.HoldDone();
  queue->Settle(1, {&ack, 1}, count);
  ack.offset = Offset(1);
  queue->Settle(1, {&ack, 1}, count);  // Waits for the write before it.
  const auto start = queue->Detach(room.Id(0));
  REQUIRE(start.has_value());
  CHECK(start->record.offset() == 2);
  CHECK_FALSE(queue->Detach(room.Id(0)).has_value());
  room.engine.ReleaseDone();
  room.Run();
  REQUIRE_OK(queue->WaitQuiet());
  CHECK(durable == 2);
  const auto rows = room.engine.LoadRows(Family::kState, PositionRow(kOther, room.Id(0)));
  REQUIRE(rows->size() == 1);
  storage::v1::PositionRecord record;
  REQUIRE(record.ParseFromString(rows->front().second));
  CHECK(record.offset() == 2);
}

TEST_CASE("dead letters of a topic that a group reads no more do not count", "[queue]") {
  v1::QueueSettings settings;
  settings.set_max_dead_letters(1);
  QueueRoom room(settings);
  room.MakeTopic(1, "flights");
  REQUIRE_OK(room.groups.Update(room.caller, TopicsOf({"orders", "flights"})));
  room.Publish(0, {"a"});
  Client& client = room.Work(1);
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased.at(0));
  client.Credit(1, 1000);
  room.Publish(0, {"b"}, "flights");
  room.Run();
  REQUIRE(client.sink.leased.size() == 1);  // The group has as many as it may.
  SECTION("by an update") { REQUIRE_OK(room.groups.Update(room.caller, TopicsOf({"flights"}))); }
  SECTION("because it was deleted") { room.DeleteTopic(); }
  room.Run();
  REQUIRE(client.sink.leased.size() == 2);
  CHECK(client.sink.leased[1].data == "b");
  CHECK(room.DeadLetters().dead_letters().empty());
}

TEST_CASE("a topic whose deletion a kill cut short is forgotten at the next start", "[queue]") {
  QueueRoom room(OneLetter());
  MakeRowsOfOrders(room);
  QueueRoom next(KilledWhileDeleting(room));
  CheckNoRowsOfOrders(next, 1);
  CHECK(next.Lag("workers", 0).queue().dead_letters() == 0);
  Client& client = next.Work();
  next.Publish(0, {"b"}, "flights");
  next.Wait(absl::Seconds(15));
  REQUIRE(client.sink.leased.size() == 1);  // The group has room for dead letters again.
  CHECK(client.sink.leased[0].data == "b");
  next.Reject(client);
  CHECK(next.DeadLetters().dead_letters_size() == 1);
  QueueRoom last(next.engine.Restart());
  CHECK(last.Lag("workers", 0).queue().dead_letters() == 1);
}

TEST_CASE("a full disk keeps nobody from starting because of a topic that is gone", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& client = room.Work();
  room.Reject(client);
  REQUIRE(room.Rows(kDeadLetterRows) == 1);
  std::unique_ptr<MemoryLogEngine> stored = KilledWhileDeleting(room);
  stored->FailNextSubmit(Error(v1::DISK_FULL, "full"));
  QueueRoom full(std::move(stored));
  CHECK(full.groups.group_count() == 1);
  CHECK(full.Rows(kDeadLetterRows) == 1);
  QueueRoom next(full.engine.Restart());
  CHECK(next.Rows(kDeadLetterRows) == 0);
  CHECK(next.Rows(kPositionRows) == 0);
}

TEST_CASE("what could not be forgotten of a deleted topic counts no more and goes later",
          "[queue]") {
  QueueRoom room(OneLetter());
  MakeRowsOfOrders(room);
  room.topics.SetChangeListener([&room](const Topic& topic, bool deleted) {
    room.engine.FailNextSubmit(Error(v1::DISK_FULL, "full"));
    room.groups.OnTopicChanged(topic, deleted);
  });
  room.DeleteTopic();
  room.Run();
  REQUIRE(room.Rows(kDeadLetterRows) == 1);
  CHECK(room.Lag("workers", 0).queue().dead_letters() == 0);
  SECTION("at the next start, also when the record names it no more") {
    v1::UpdateGroupRequest update;
    update.mutable_group()->set_name("workers");
    update.mutable_group()->set_description("of flights");
    update.mutable_update_mask()->add_paths("description");
    REQUIRE_OK(room.groups.Update(room.caller, update));
    QueueRoom next(room.engine.Restart());
    CheckNoRowsOfOrders(next, 1);
    CHECK(next.Lag("workers", 0).queue().dead_letters() == 0);
  }
  SECTION("with the group") {
    v1::DeleteGroupRequest group;
    group.set_name("workers");
    REQUIRE_OK(room.groups.Delete(room.caller, group));
    CheckNoRowsOfOrders(room, 0);
  }
}

TEST_CASE("what was read before a reset is not taken for what follows it", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 6);
  room.engine.SetCachedReads(false);
  const auto queue = GroupQueue::Make({room.engine, room.pool, room.timer}, kOther, {}, {});
  storage::v1::PositionRecord late;
  late.set_offset(4);
  queue->Add({room.Id(0), late, {}, false});
  queue->Join(1, {}, [] {});
  REQUIRE(Take(*queue, 1) == 0);  // They are being read.
  queue->Leave(1, true);
  REQUIRE(queue->Detach(room.Id(0)).has_value());
  queue->Add({room.Id(0), {}, {}, false});
  room.Run();
  queue->Join(2, {}, [] {});
  int64_t taken = 0;
  for (int i = 0; i < 20; ++i) {
    taken += Take(*queue, 2);
    room.Run();
  }
  CHECK(taken == 6);
}

TEST_CASE("what is read of a topic that the group stops reading costs its member no credit",
          "[queue]") {
  QueueRoom room;
  room.MakeTopic(1, "other");
  Client& client = room.ReadOneAnew();  // With no credit beside it.
  REQUIRE_OK(room.groups.Update(room.caller, TopicsOf({"other"})));
  room.Run();
  room.engine.SetCachedReads(true);
  room.Publish(0, {"5"}, "other");
  room.Run();
  REQUIRE(client.sink.leased.size() == 501);
  CHECK(client.sink.leased[500].offset == 0);
}

TEST_CASE("an event of a topic that is just being deleted costs its member no credit", "[queue]") {
  QueueRoom room;
  room.MakeTopic(1, "other");
  REQUIRE_OK(room.groups.Update(room.caller, TopicsOf({"orders", "other"})));
  room.Publish(0, {"of other"}, "other");
  Client& before = room.Work(1);
  REQUIRE(before.sink.leased.size() == 1);
  Client& client = room.Work(2);
  client.reads = false;
  room.Publish(0, {"a"});
  room.Run();
  REQUIRE(client.sink.unwritten);
  // It is there for the other one, who cannot be sent anything yet.
  before.Settle(v1::SETTLE_KIND_RELEASE, before.sink.leased[0]);
  room.Run();
  room.topics.SetChangeListener([&](const Topic& topic, bool deleted) {
    REQUIRE(client.Written());  // Before the group hears of it.
    room.groups.OnTopicChanged(topic, deleted);
  });
  room.DeleteTopic("other");
  client.reads = true;
  room.Run();
  room.Publish(0, {"b"});
  room.Run();
  CHECK(room.DataOf(client) == Strings{"a", "b"});
}

}  // namespace
}  // namespace acta
