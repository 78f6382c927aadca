// Publishing for later: what is taken, what is refused, what is answered.
#include "tests/unit/schedules/schedule_room.h"

namespace acta {
namespace {

v1::ErrorReason BatchReason(const v1::FrameResult& result) {
  INFO(result.ShortDebugString());
  return result.batches(0).error().reason();
}

TEST_CASE("A scheduled event is in no log before it is due, and then once") {
  ScheduleRoom room;
  REQUIRE(room.Schedule(absl::Hours(1), {"a"}).size() == 1);
  room.Pass(absl::Minutes(59));
  CHECK(room.Log().empty());
  CHECK(room.schedules->waiting() == 1);
  room.Pass(absl::Minutes(1));
  CHECK(room.Log() == ScheduleRoom::Strings{"a"});
  room.Pass(absl::Hours(24));
  CHECK(room.Log() == ScheduleRoom::Strings{"a"});
  CHECK(room.schedules->waiting() == 0);
  CHECK(room.schedules->delivered() == 1);
  CHECK(room.Rows() == 0);
}

TEST_CASE("A scheduled event is not acknowledged before it is durable") {
  ScheduleRoom room;
  room.engine->HoldDone();
  const auto answer = room.Send(room.Frame(absl::Hours(1), {"a"}));
  CHECK_FALSE(answer->has_value());
  CHECK(room.List().empty());
  room.engine->ReleaseDone();
  REQUIRE(answer->has_value());
  CHECK((*answer)->level() == v1::ACK_LEVEL_FSYNC);
  CHECK(room.List().size() == 1);
}

TEST_CASE("A time that has passed publishes now") {
  ScheduleRoom room;
  const v1::FrameResult result = room.Publish(room.Frame(-absl::Seconds(1), {"a"}));
  CHECK(result.batches(0).scheduled().empty());
  CHECK(result.batches(0).parts_size() == 1);
  CHECK(room.Log() == ScheduleRoom::Strings{"a"});
}

TEST_CASE("An event waits 400 days at most") {
  ScheduleRoom room;
  CHECK(room.Schedule(absl::Hours(24 * 400), {"a"}).size() == 1);
  const v1::FrameResult result =
      room.Publish(room.Frame(absl::Hours(24 * 400) + absl::Microseconds(1), {"a"}));
  CHECK(BatchReason(result) == v1::SCHEDULE_TOO_FAR);
  CHECK(result.batches(0).error().details().at("limit") == "max_schedule_ahead");
  CHECK(room.schedules->waiting() == 1);
}

TEST_CASE("Scheduling stops at limits.scheduled_events, and goes on when one is over") {
  ScheduleRoom room({.max_events = 3});
  const auto ids = room.Schedule(absl::Hours(1), {"a", "b"});
  const v1::FrameResult refused = room.Publish(room.Frame(absl::Hours(1), {"c", "d"}));
  CHECK(BatchReason(refused) == v1::LIMIT_EXCEEDED);
  CHECK(refused.batches(0).error().details().at("limit") == "limits.scheduled_events");
  v1::PublishFrame last = room.Frame(absl::Hours(1), {"c"});
  last.mutable_batches(0)->mutable_events(0)->set_id("c");
  const auto scheduled = room.Schedule(last);
  CHECK(BatchReason(room.Publish(room.Frame(absl::Hours(1), {"d"}))) == v1::LIMIT_EXCEEDED);
  // The answer was lost: what is scheduled already needs no room.
  CHECK(room.Schedule(last) == scheduled);
  CHECK(room.schedules->waiting() == 3);
  REQUIRE_OK(room.Cancel(ids[0]));
  CHECK(room.Schedule(absl::Hours(1), {"d"}).size() == 1);
}

TEST_CASE("A frame schedules 1,000 events at most") {
  ScheduleRoom room;
  CHECK(room.Schedule(absl::Hours(1), ScheduleRoom::Strings(1000, "x")).size() == 1000);
  v1::PublishFrame frame = room.Frame(absl::Hours(1), ScheduleRoom::Strings(1000, "x"));
  *frame.add_batches() = room.Frame(absl::Hours(1), {"y"}).batches(0);
  const v1::FrameResult result = room.Publish(frame);
  CHECK(result.error().reason() == v1::FRAME_TOO_LARGE);
  CHECK(result.error().details().at("limit") == "max_scheduled_per_frame");
  CHECK(room.schedules->waiting() == 1000);
}

TEST_CASE("An event whose id waits is not scheduled again, and answered with its schedule") {
  ScheduleRoom room;
  v1::PublishFrame frame = room.Frame(absl::Hours(1), {"a", "b", "c"});
  frame.mutable_batches(0)->mutable_events(0)->set_id("1");
  frame.mutable_batches(0)->mutable_events(2)->set_id("1");
  const v1::FrameResult first = room.Publish(frame);
  REQUIRE(first.batches(0).scheduled_size() == 3);
  CHECK_FALSE(first.batches(0).scheduled(0).duplicate());
  CHECK_FALSE(first.batches(0).scheduled(1).duplicate());
  CHECK(first.batches(0).scheduled(2).duplicate());
  CHECK(first.batches(0).scheduled(2).schedule_id() == first.batches(0).scheduled(0).schedule_id());
  room.Restart();
  const v1::FrameResult again = room.Publish(frame);
  CHECK(again.batches(0).scheduled(0).duplicate());
  CHECK(again.batches(0).scheduled(0).schedule_id() == first.batches(0).scheduled(0).schedule_id());
  CHECK_FALSE(again.batches(0).scheduled(1).duplicate());  // It has no id.
  room.Pass(absl::Hours(1));
  CHECK(room.Log().size() == 3);
}

TEST_CASE("An id that comes in two batches of a frame is scheduled once") {
  ScheduleRoom room;
  v1::PublishFrame frame = room.Frame(absl::Hours(1), {"a"});
  frame.mutable_batches(0)->mutable_events(0)->set_id("1");
  *frame.add_batches() = frame.batches(0);
  frame.set_atomic(GENERATE(false, true));
  const v1::FrameResult result = room.Publish(frame);
  INFO(result.ShortDebugString());
  REQUIRE(result.batches(0).scheduled_size() == 1);
  REQUIRE(result.batches(1).scheduled_size() == 1);
  CHECK_FALSE(result.batches(0).scheduled(0).duplicate());
  CHECK(result.batches(1).scheduled(0).duplicate());
  CHECK(result.batches(1).scheduled(0).schedule_id() ==
        result.batches(0).scheduled(0).schedule_id());
  CHECK(room.schedules->waiting() == 1);
  room.Pass(absl::Hours(1));
  CHECK(room.Log() == ScheduleRoom::Strings{"a"});
}

TEST_CASE("An id is free again when its schedule is cancelled, and in another topic") {
  ScheduleRoom room;
  room.CreateTopic("alarms", 1);
  v1::PublishFrame frame = room.Frame(absl::Hours(1), {"a"});
  frame.mutable_batches(0)->mutable_events(0)->set_id("1");
  const auto ids = room.Schedule(frame);
  REQUIRE_OK(room.Cancel(ids[0]));
  CHECK_FALSE(room.Publish(frame).batches(0).scheduled(0).duplicate());
  frame.mutable_batches(0)->set_topic("alarms");
  CHECK_FALSE(room.Publish(frame).batches(0).scheduled(0).duplicate());
}

TEST_CASE("While an id is on its way to the disk, a second call for it is told to retry") {
  ScheduleRoom room;
  v1::PublishFrame frame = room.Frame(absl::Hours(1), {"a"});
  frame.mutable_batches(0)->mutable_events(0)->set_id("1");
  room.engine->HoldDone();
  const auto first = room.Send(frame);
  v1::PublishFrame second = room.Frame(absl::Hours(1), {"other", "b"});
  second.mutable_batches(0)->mutable_events(0)->set_id("2");
  second.mutable_batches(0)->mutable_events(1)->set_id("1");
  CHECK(BatchReason(room.Publish(second)) == v1::CONCURRENT_CHANGE);
  room.engine->ReleaseDone();
  // What came before it in the refused batch is free.
  const v1::FrameResult again = room.Publish(second);
  CHECK_FALSE(again.batches(0).scheduled(0).duplicate());
  CHECK(again.batches(0).scheduled(1).duplicate());
}

TEST_CASE("An event that was also published at once is not stored twice") {
  ScheduleRoom room;
  v1::PublishFrame frame = room.Frame(absl::Minutes(1), {"a"});
  frame.mutable_batches(0)->mutable_events(0)->set_id("1");
  room.Schedule(frame);
  frame.mutable_batches(0)->clear_deliver_at_us();
  CHECK(room.Publish(frame).batches(0).parts_size() == 1);
  room.Pass(absl::Minutes(1));
  CHECK(room.Log() == ScheduleRoom::Strings{"a"});
  CHECK(room.schedules->waiting() == 0);
}

TEST_CASE("An event whose id is in the log already is dropped when it is due") {
  ScheduleRoom room;
  const auto later = [&room](absl::Duration after, const std::string& data) {
    v1::PublishFrame frame = room.Frame(after, {data});
    frame.mutable_batches(0)->mutable_events(0)->set_id("1");
    frame.mutable_batches(0)->mutable_events(0)->set_key("k");  // To the same partition.
    return frame;
  };
  v1::PublishFrame now = later(absl::ZeroDuration(), "first");
  now.mutable_batches(0)->clear_deliver_at_us();
  REQUIRE(room.Publish(now).batches(0).parts_size() == 1);
  SECTION("within the topic's window") {
    const v1::FrameResult scheduled = room.Publish(later(absl::Minutes(9), "again"));
    // The log is not asked before.
    REQUIRE(scheduled.batches(0).scheduled_size() == 1);
    CHECK_FALSE(scheduled.batches(0).scheduled(0).duplicate());
    CHECK(room.schedules->waiting() == 1);
    const bool restarted = GENERATE(false, true);
    if (restarted) room.Restart();
    room.Pass(absl::Minutes(9));
    CHECK(room.Log() == ScheduleRoom::Strings{"first"});
  }
  SECTION("and comes when the window is over by then") {
    room.Schedule(later(absl::Minutes(11), "again"));
    room.Pass(absl::Minutes(11));
    CHECK(room.Log() == ScheduleRoom::Strings{"first", "again"});
  }
  CHECK(room.schedules->waiting() == 0);
  CHECK(room.Rows() == 0);
}

TEST_CASE("A scheduled batch has no sequence and no condition") {
  ScheduleRoom room;
  v1::PublishFrame sequenced = room.Frame(absl::Hours(1), {"a"});
  sequenced.mutable_batches(0)->set_partition(0);
  sequenced.mutable_batches(0)->set_producer_id(1);
  CHECK(BatchReason(room.Publish(sequenced)) == v1::INVALID_ARGUMENT);
  v1::PublishFrame expecting = room.Frame(absl::Hours(1), {"a"});
  expecting.mutable_batches(0)->set_partition(0);
  expecting.mutable_batches(0)->mutable_expect()->set_end_offset(0);
  const v1::FrameResult result = room.Publish(expecting);
  CHECK(BatchReason(result) == v1::INVALID_ARGUMENT);
  CHECK(result.batches(0).error().details().at("field") == "expect");
  CHECK(room.Rows() == 0);
}

TEST_CASE("What is wrong with an event is said when it is scheduled") {
  ScheduleRoom room;
  v1::PublishFrame frame = room.Frame(absl::Hours(1), {"a"});
  frame.mutable_batches(0)->mutable_events(0)->set_key(std::string(1025, 'k'));
  CHECK(BatchReason(room.Publish(frame)) == v1::KEY_TOO_LARGE);
  CHECK(BatchReason(room.Publish(room.Frame(absl::Hours(1), {"a"}, "nothing"))) ==
        v1::TOPIC_NOT_FOUND);
  CHECK(BatchReason(room.Publish(room.Frame(absl::Hours(1), {}))) == v1::EMPTY_PUBLISH);
}

// Atomic: "later" in an hour, and "now" behind an end that the partition does not have.
v1::PublishFrame LaterAndNow(ScheduleRoom& room) {
  v1::PublishFrame frame = room.Frame(absl::Hours(1), {"later"});
  frame.set_atomic(true);
  v1::PartitionBatch* now = frame.add_batches();
  now->set_topic("reminders");
  now->set_partition(0);
  now->mutable_expect()->set_end_offset(7);
  now->add_events()->set_data("now");
  return frame;
}

TEST_CASE("An atomic frame publishes and schedules, or does neither") {
  ScheduleRoom room;
  v1::PublishFrame frame = LaterAndNow(room);
  v1::PartitionBatch* now = frame.mutable_batches(1);
  const v1::FrameResult refused = room.Publish(frame);
  CHECK(refused.batches(1).error().reason() == v1::WRONG_EXPECTED_OFFSET);
  CHECK(room.Rows() == 0);
  CHECK(room.schedules->waiting() == 0);
  now->mutable_expect()->set_end_offset(0);
  CHECK(room.Schedule(frame).size() == 1);
  CHECK(room.Log() == ScheduleRoom::Strings{"now"});
  room.Pass(absl::Hours(1));
  CHECK(room.Log().size() == 2);
}

TEST_CASE("An atomic frame that is refused says so of what it was to schedule") {
  ScheduleRoom room;
  v1::PublishFrame frame = LaterAndNow(room);
  frame.mutable_batches(0)->mutable_events(0)->set_id("1");
  v1::PartitionBatch* now = frame.mutable_batches(1);
  const v1::FrameResult refused = room.Publish(frame);
  CHECK(BatchReason(refused) == v1::ATOMIC_ABORTED);
  CHECK(refused.batches(0).scheduled().empty());
  CHECK(refused.batches(1).error().reason() == v1::WRONG_EXPECTED_OFFSET);
  CHECK(room.schedules->waiting() == 0);
  now->mutable_expect()->set_end_offset(0);
  const v1::FrameResult again = room.Publish(frame);
  CHECK_FALSE(again.batches(0).has_error());
  REQUIRE(again.batches(0).scheduled_size() == 1);
  CHECK_FALSE(again.batches(0).scheduled(0).duplicate());
  room.Pass(absl::Hours(1));
  CHECK(room.Log().size() == 2);
}

TEST_CASE("An atomic frame that comes again schedules nothing again") {
  ScheduleRoom room;
  v1::PublishFrame frame = room.Frame(absl::Hours(1), {"later"});
  frame.set_atomic(true);
  v1::PartitionBatch* now = frame.add_batches();
  now->set_topic("reminders");
  now->add_events()->set_id("1");
  room.Schedule(frame);
  const v1::FrameResult again = room.Publish(frame);
  REQUIRE(again.batches(0).scheduled_size() == 1);
  CHECK(again.batches(0).scheduled(0).duplicate());
  CHECK(again.batches(0).scheduled(0).schedule_id().empty());
  CHECK(room.schedules->waiting() == 1);
}

TEST_CASE("An atomic frame of which others have published a part is refused, not a repetition") {
  ScheduleRoom room;
  v1::PublishFrame frame = room.Frame(absl::Hours(1), {"later"});
  frame.mutable_batches(0)->mutable_events(0)->set_id("2");
  frame.set_atomic(true);
  v1::PartitionBatch* now = frame.add_batches();
  now->set_topic("reminders");
  now->add_events()->set_id("1");
  if (GENERATE(false, true)) {  // Its own repetition is one.
    const auto ids = room.Schedule(frame);
    const v1::FrameResult again = room.Publish(frame);
    REQUIRE(again.batches(0).scheduled_size() == 1);
    CHECK(again.batches(0).scheduled(0).duplicate());
    CHECK(again.batches(0).scheduled(0).schedule_id() == ids[0]);
    CHECK(again.batches(1).duplicates_size() == 1);
    CHECK(room.schedules->waiting() == 1);
    return;
  }
  v1::PublishFrame other;
  *other.add_batches() = *now;
  REQUIRE(room.Publish(other).batches(0).parts_size() == 1);
  const v1::FrameResult refused = room.Publish(frame);
  CHECK(BatchReason(refused) == v1::ATOMIC_ABORTED);
  CHECK(refused.batches(0).scheduled().empty());
  CHECK(refused.batches(1).error().reason() == v1::ATOMIC_ABORTED);
  CHECK(room.Rows() == 0);
  CHECK(room.schedules->waiting() == 0);
  frame.mutable_batches()->RemoveLast();
  CHECK_FALSE(room.Publish(frame).batches(0).scheduled(0).duplicate());
}

TEST_CASE("Scheduling is refused like publishing when the disk or the queue is full") {
  ScheduleRoom room;
  room.engine->SetDiskState(DiskState::kSoft);
  CHECK(room.Publish(room.Frame(absl::Hours(1), {"a"})).error().reason() == v1::DISK_FULL);
  room.engine->SetDiskState(DiskState::kOk);
  room.engine->SetRoom(false);
  CHECK(room.Publish(room.Frame(absl::Hours(1), {"a"})).error().reason() == v1::PUBLISH_QUEUE_FULL);
  room.engine->SetRoom(true);
  CHECK(room.Schedule(absl::Hours(1), {"a"}).size() == 1);
}

}  // namespace
}  // namespace acta
