// A QUEUE group after a reset: what is gone and what stays, over a restart too.
#include "storage/layout/rows.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

// Ends the members, which hear of it when the pool runs.
void ResetToEarliest(QueueRoom& room) {
  v1::ResetOffsetsRequest reset;
  reset.set_group("workers");
  reset.mutable_to()->set_earliest(true);
  reset.set_reason("all of it again");
  reset.set_force(true);
  REQUIRE_OK(room.groups.ResetOffsets(room.caller, reset));
}

void SettleWith(QueueRoom& room, Client& client, const RecordingSink::Leased& event,
                v1::SettleKind kind, const std::string& text, int64_t delay_s = 0) {
  v1::Settlement settlement;
  settlement.set_assignment(event.assignment);
  settlement.set_offset(event.offset);
  settlement.set_kind(kind);
  settlement.set_text(text);
  if (delay_s > 0) settlement.mutable_delay()->set_seconds(delay_s);
  const uint64_t frame = client.Settle(settlement);
  room.Run();
  REQUIRE(client.sink.ErrorOf(frame) == v1::ERROR_REASON_UNSPECIFIED);
}

Strings TextsOf(const v1::DeadLetter& letter) {
  Strings texts;
  for (const v1::Attempt& attempt : letter.history()) texts.push_back(attempt.text());
  return texts;
}

TEST_CASE("a group that was reset has begun anew after a restart too", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(5));
  room.Publish(0, {"waits", "dead", "leased", "done"});
  Client& client = room.Work();
  const std::vector<RecordingSink::Leased> leased = client.sink.leased;
  REQUIRE(leased.size() == 4);
  SettleWith(room, client, leased[0], v1::SETTLE_KIND_NACK, "later", 3600);
  SettleWith(room, client, leased[1], v1::SETTLE_KIND_REJECT, "never");
  SettleWith(room, client, leased[3], v1::SETTLE_KIND_ACK, "");
  REQUIRE(room.Rows(kParkedRows) == 1);
  REQUIRE(room.Rows(kAttemptRows) == 2);
  ResetToEarliest(room);
  room.Run();
  CHECK(client.sink.EndReason() == v1::GROUP_RESET);
  CHECK(room.Rows(kParkedRows) == 0);
  CHECK(room.Rows(kAttemptRows) == 1);
  CHECK(room.Rows(kDeadLetterRows) == 1);

  QueueRoom next(room.engine.Restart());
  const v1::PartitionLag lag = next.Lag("workers", 0);
  CHECK(lag.committed_offset() == 0);
  CHECK(lag.lag_events() == 3);  // At most: nothing was looked at yet.
  CHECK_FALSE(lag.exact());
  CHECK(lag.queue().retry_wait() == 0);
  CHECK(lag.queue().dead_letters() == 1);
  REQUIRE(next.DeadLetters().dead_letters_size() == 1);
  const v1::DeadLetter letter = next.DeadLetter(next.DeadLetters().dead_letters(0).ref());
  CHECK(letter.event().data() == "dead");
  CHECK(TextsOf(letter) == Strings{"never"});
  Client& again = next.Work();
  next.Wait(absl::Seconds(10));  // What a member may have held.
  CHECK(next.DataOf(again) == Strings{"waits", "leased", "done"});
  for (const RecordingSink::Leased& event : again.sink.leased) {
    CHECK(event.attempt == 1);
    CHECK(event.redrives == 0);
    again.Ack(event);
  }
  next.Run();
  CHECK(next.Lag("workers", 0).lag_events() == 0);
  CHECK(TextsOf(next.DeadLetter(letter.ref())) == Strings{"never"});
}

TEST_CASE("a settlement of before a reset changes nothing after it", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& old = room.Work();
  const RecordingSink::Leased before = old.sink.leased.at(0);
  ResetToEarliest(room);
  const v1::SettleKind kind = GENERATE(v1::SETTLE_KIND_ACK, v1::SETTLE_KIND_NACK,
                                       v1::SETTLE_KIND_REJECT, v1::SETTLE_KIND_RELEASE);
  old.Settle(kind, before);
  room.Run();
  CHECK(room.Lag("workers", 0).lag_events() == 1);
  CHECK(old.sink.EndReason() == v1::GROUP_RESET);
  Client& now = room.Work(1);
  REQUIRE(now.sink.leased.size() == 1);
  Client& third = room.Work();
  const uint64_t frame = third.Settle(kind, before);
  room.Run();
  CHECK(third.sink.ErrorOf(frame) == v1::FENCED);
  CHECK(room.Lag("workers", 0).queue().leased() == 1);
  CHECK(now.sink.leased[0].attempt == 1);
}

// A member that holds the first event of the partition, which came under this generation.
v1::SubscribeStart Holding(int64_t generation) {
  v1::SubscribeStart start;
  start.set_group("workers");
  v1::HeldEvents* const held = start.add_held();
  held->set_topic("orders");
  held->set_generation(generation);
  return start;
}

TEST_CASE("a start is settled when all partitions are named of which events are held", "[queue]") {
  constexpr int32_t kPartitions = 16;
  constexpr int kHeld = 1000;
  QueueRoom room({}, kPartitions);
  v1::SubscribeStart start;
  start.set_group("workers");
  start.set_max_frame_bytes(64 << 10);
  for (int i = 0; i < kHeld; ++i) {
    v1::HeldEvents* const held = start.add_held();
    held->set_topic("orders");
    // What is told of the others fills the first frame.
    held->set_partition(i < kHeld - 10 ? i % (kPartitions - 1) : kPartitions - 1);
    held->set_offset(i);
  }
  Client& client = room.Subscribe(start);
  REQUIRE(client.sink.frames.size() > 1);
  CHECK(client.sink.Notices("HELD").size() == kHeld);
  CHECK(client.sink.handles.size() == kPartitions);
  bool settled = false;
  for (const OutgoingFrame& frame : client.sink.frames) {
    if (settled) CHECK(frame.control.assigned().empty());
    settled = settled || frame.control.acked_through() != 0;
  }
  CHECK(settled);
}

TEST_CASE("what was leased before a reset is nobody's after a restart", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& old = room.Work();
  REQUIRE(old.sink.leased.size() == 1);
  const int64_t before = old.sink.by_handle.at(old.sink.leased[0].assignment).generation();
  ResetToEarliest(room);
  room.Run();
  int64_t after = before + 1;
  const bool leased_again = GENERATE(false, true);
  if (leased_again) {
    Client& again = room.Work();
    REQUIRE(again.sink.leased.size() == 1);
    after = again.sink.by_handle.at(again.sink.leased[0].assignment).generation();
    CHECK(after > before);
  }

  QueueRoom next(room.engine.Restart());
  Client& stale = next.Subscribe(Holding(before));
  REQUIRE(stale.sink.Notices("HELD").size() == 1);
  CHECK(stale.sink.Notices("HELD")[0].text().starts_with("0 of 1 events"));
  RecordingSink::Leased event;
  event.assignment = stale.sink.Handle(0);
  const uint64_t frame = stale.Settle(v1::SETTLE_KIND_ACK, event);
  next.Run();
  CHECK(stale.sink.ErrorOf(frame) == v1::LEASE_LOST);
  CHECK(next.Lag("workers", 0).lag_events() == 1);

  Client& holds = next.Subscribe(Holding(after));
  REQUIRE(holds.sink.Notices("HELD").size() == 1);
  CHECK(holds.sink.Notices("HELD")[0].text().starts_with("1 of 1 events"));
  event.assignment = holds.sink.Handle(0);
  const uint64_t own = holds.Settle(v1::SETTLE_KIND_ACK, event);
  next.Run();
  CHECK(holds.sink.ErrorOf(own) == v1::ERROR_REASON_UNSPECIFIED);
  CHECK(next.Lag("workers", 0).lag_events() == 0);
}

// A topic `early`, whose events are seen before they are synced, and a QUEUE group of that name.
void MakeEarly(QueueRoom& room) {
  v1::CreateTopicRequest topic;
  topic.mutable_topic()->set_name("early");
  topic.mutable_topic()->set_partitions(1);
  topic.mutable_topic()->set_visible_at(v1::ACK_LEVEL_OS);
  REQUIRE_OK(room.topics.Create(room.caller, topic));
  v1::CreateGroupRequest group;
  group.mutable_group()->set_name("early");
  group.mutable_group()->add_topics("early");
  group.mutable_group()->set_mode(v1::GROUP_MODE_QUEUE);
  group.mutable_start()->set_earliest(true);
  REQUIRE_OK(room.groups.Create(room.caller, group));
}

TEST_CASE("what a power cut or a restore may have taken of the events that are held is nobody's",
          "[queue]") {
  struct Case {
    const char* topic;
    const char* group;
    uint32_t lives;  // That the log begins.
    bool same;
    int64_t resets = 0;  // Of before the events came, which the backup does not have.
  };
  const Case at = GENERATE(Case{"early", "early", 0, true}, Case{"early", "early", 1, false},
                           Case{"orders", "workers", 0, true}, Case{"orders", "workers", 1, true},
                           Case{"orders", "workers", kLivesLeftOut, false},
                           Case{"orders", "workers", kLivesLeftOut, false, 1},
                           // Of two restores of one backup.
                           Case{"orders", "workers", 1000, false});
  INFO(at.topic << ", " << at.lives << " lives later");
  QueueRoom room;
  MakeEarly(room);
  room.Publish(0, {"a"}, at.topic);
  room.Publish(0, {"b"}, at.topic);
  Client& old = room.Work(1000, "", at.group);
  REQUIRE(old.sink.leased.size() == 2);
  const int64_t before =
      old.sink.by_handle.at(old.sink.leased[0].assignment).generation() + at.resets;

  std::unique_ptr<MemoryLogEngine> left = room.engine.Restart();
  for (uint32_t life = 0; life < at.lives; ++life) {
    left->LoseTail(room.Id(0, at.topic), Offset(at.same ? 2 : 1));
  }
  QueueRoom next(std::move(left));
  v1::SubscribeStart start = Holding(before);
  start.set_group(at.group);
  start.mutable_held(0)->set_topic(at.topic);
  start.mutable_held(0)->set_count(2);
  Client& holds = next.Subscribe(start);
  REQUIRE(holds.sink.Notices("HELD").size() == 1);
  CHECK(holds.sink.Notices("HELD")[0].text().starts_with(at.same ? "2 of 2" : "0 of 2"));
  const int64_t after = holds.sink.by_handle.at(holds.sink.Handle(0, at.topic)).generation();
  CHECK((after == before) == at.same);
  CHECK(after >= before);
}

TEST_CASE("a handle that a member kept from its stream before settles nothing", "[queue]") {
  QueueRoom room({}, 2);
  room.Publish(1, {"a"});
  Client& old = room.Work(1, "m");
  REQUIRE(old.sink.leased.size() == 1);
  const RecordingSink::Leased kept = old.sink.leased[0];
  old.stream->OnDisconnect();
  room.Run();

  room.Publish(0, {"b"});
  Client& again = room.Work(1000, "m");
  REQUIRE_FALSE(again.sink.leased.empty());
  const uint64_t frame = again.Ack(kept);
  room.Run();
  CHECK(again.sink.ErrorOf(frame) == v1::FENCED);
  CHECK(again.sink.by_handle.count(kept.assignment) == 0);
  CHECK(room.Lag("workers", 0).lag_events() == 1);
}

TEST_CASE("after a restart a member keeps what it holds of a key, and the next one waits for it",
          "[queue]") {
  v1::QueueSettings settings;
  settings.set_order(GENERATE(v1::QUEUE_ORDER_KEY, v1::QUEUE_ORDER_KEY_RELAXED));
  QueueRoom room(settings);
  room.PublishKeyed({{"k", "a"}, {"k", "b"}, {"j", "c"}});
  Client& old = room.Work();
  REQUIRE(room.DataOf(old) == Strings{"a", "c"});
  const int64_t generation = old.sink.by_handle.at(old.sink.leased[0].assignment).generation();

  QueueRoom next(room.engine.Restart());
  Client& holds = next.Subscribe(Holding(generation));
  REQUIRE(holds.sink.Notices("HELD").size() == 1);
  CHECK(holds.sink.Notices("HELD")[0].text().starts_with("1 of 1 events"));
  next.Wait(absl::Seconds(15));
  CHECK(next.DataOf(holds) == Strings{"c"});
  RecordingSink::Leased event;
  event.assignment = holds.sink.Handle(0);
  const uint64_t ack = holds.Settle(v1::SETTLE_KIND_ACK, event);
  next.Run();
  CHECK(holds.sink.ErrorOf(ack) == v1::ERROR_REASON_UNSPECIFIED);
  CHECK(next.DataOf(holds) == Strings{"c", "b"});
}

TEST_CASE("what was leased before a restart is kept when retention takes it before anybody comes",
          "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a", "b", "c"});
  Client& old = room.Work();
  REQUIRE(old.sink.leased.size() == 3);
  old.Ack(old.sink.leased[1]);
  room.Run();

  QueueRoom next(room.engine.Restart());
  next.engine.TrimTo(next.Id(0), Offset(2));
  REQUIRE(next.engine.Extent(next.Id(0))->first == Offset(2));
  CHECK(next.Rows(kKeptRows) == 1);
  Client& client = next.Work();
  next.Wait(absl::Seconds(10));
  Strings data = QueueRoom::DataOf(client);
  std::sort(data.begin(), data.end());
  CHECK(data == Strings{"a", "c"});
  CHECK(client.sink.gaps().empty());
}

}  // namespace
}  // namespace acta
