// Scheduled events when they are due.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "acta/v1/context.pb.h"
#include "proto/support/partitioner.h"
#include "server/core/schedules/schedule_records.h"
#include "storage/layout/rows.h"
#include "storage/submit_and_wait.h"
#include "tests/support/captured_stderr.h"
#include "tests/unit/schedules/schedule_room.h"

namespace acta {
namespace {

v1::PublishFrame ToPartition(v1::PublishFrame frame, int32_t partition) {
  frame.mutable_batches(0)->set_partition(partition);
  return frame;
}

// The row of a scheduled event as a disk may damage it; nothing: it is missing.
void WriteRow(ScheduleRoom& room, const std::string& id, std::optional<std::string> value) {
  Transaction transaction;
  transaction.rows.push_back({Family::kState, ScheduleRow(*ParseScheduleId(id)), std::move(value)});
  REQUIRE_OK(room.engine->Submit(std::move(transaction)));
}

TEST_CASE("Events come in the order they are due, those of one moment as they were scheduled") {
  ScheduleRoom room;
  room.Schedule(ToPartition(room.Frame(absl::Minutes(3), {"3a", "3b"}), 1));
  room.Schedule(ToPartition(room.Frame(absl::Minutes(1), {"1"}), 1));
  room.Schedule(ToPartition(room.Frame(absl::Minutes(3), {"3c"}), 1));
  room.Schedule(ToPartition(room.Frame(absl::Minutes(2), {"2"}), 1));
  SECTION("one by one") {
    for (int i = 0; i < 3; ++i) room.Pass(absl::Minutes(1));
  }
  SECTION("all at once") { room.Pass(absl::Minutes(3)); }
  SECTION("after a restart") {
    room.Restart();
    room.Pass(absl::Minutes(3));
  }
  CHECK(room.Log(1) == ScheduleRoom::Strings{"1", "2", "3a", "3b", "3c"});
}

TEST_CASE("What came due while the broker was down comes at the start") {
  ScheduleRoom room;
  room.Schedule(absl::Hours(1), {"a"});
  room.engine->Advance(absl::Hours(2));
  room.Restart();
  room.Pass(absl::ZeroDuration());
  CHECK(room.Log() == ScheduleRoom::Strings{"a"});
  room.Restart();
  room.Pass(absl::Hours(1));
  CHECK(room.Log() == ScheduleRoom::Strings{"a"});
}

TEST_CASE("A scheduled event that cannot be read is kept, and the others come") {
  ScheduleRoom room;
  const std::string id = room.Schedule(absl::Hours(1), {"a", "b"})[0];
  storage::v1::ScheduleRecord record = *ReadSchedule(*room.engine, *ParseScheduleId(id));
  const std::string whole = record.SerializeAsString();
  record.set_element(record.element().substr(0, record.element().size() - 1));
  WriteRow(room, id, record.SerializeAsString());
  room.Pass(absl::Hours(1));
  CHECK(room.Log() == ScheduleRoom::Strings{"b"});
  WriteRow(room, id, whole);
  room.Restart();
  room.Pass(absl::Hours(1));
  ScheduleRoom::Strings all = room.Log();
  std::sort(all.begin(), all.end());
  CHECK(all == ScheduleRoom::Strings{"a", "b"});
}

TEST_CASE(
    "A scheduled event that cannot be read for a while comes when it can, without a restart") {
  ScheduleRoom room;
  const std::string id =
      room.Schedule(ToPartition(room.Frame(absl::Hours(1), {"a", "b", "c"}), 0))[0];
  const auto whole = room.engine->LoadRows(Family::kState, ScheduleRow(*ParseScheduleId(id)));
  REQUIRE_OK(whole);
  WriteRow(room, id, "\xff");
  room.Pass(absl::Hours(1));
  room.Pass(absl::Minutes(3));
  CHECK(room.Log(0) == ScheduleRoom::Strings{"b", "c"});
  WriteRow(room, id, whole->front().second);
  SECTION("and is due") {
    for (int i = 0; i < 3; ++i) room.Pass(absl::Minutes(1));
    CHECK(room.Log(0) == ScheduleRoom::Strings{"b", "c", "a"});
    CHECK(room.schedules->overdue() == absl::ZeroDuration());
  }
  SECTION("or is cancelled before its turn has come") {
    CHECK_OK(room.Cancel(id));
    for (int i = 0; i < 3; ++i) room.Pass(absl::Minutes(1));
    CHECK(room.Log(0) == ScheduleRoom::Strings{"b", "c"});
  }
  CHECK(room.schedules->waiting() == 0);
}

TEST_CASE("A jump of the wall clock changes nothing, one that is accepted does") {
  ScheduleRoom room;
  room.Schedule(absl::Hours(10), {"a"});
  room.engine->SetClockJump(absl::Hours(20));
  room.Pass(absl::Hours(1));
  CHECK(room.Log().empty());
  room.engine->AcceptClock();
  room.Pass(absl::Minutes(1));
  CHECK(room.Log() == ScheduleRoom::Strings{"a"});
}

TEST_CASE("A keyed event goes to its key's partition, also when the topic has grown since") {
  ScheduleRoom room;
  v1::PublishFrame frame = room.Frame(absl::Hours(1), {"a"});
  frame.mutable_batches(0)->mutable_events(0)->set_key("customer-3");
  SECTION("and the publisher had named the one before") {
    frame.mutable_batches(0)->set_partition(PartitionOfKey("customer-3", 4));
  }
  SECTION("and the publisher had named none") {}
  room.Schedule(frame);
  v1::UpdateTopicRequest grow;
  grow.mutable_topic()->set_name("reminders");
  grow.mutable_topic()->set_partitions(7);
  grow.mutable_update_mask()->add_paths("partitions");
  grow.set_accept_reorder(true);
  REQUIRE_OK(room.topics->Update(room.caller, grow));
  REQUIRE(PartitionOfKey("customer-3", 7) != PartitionOfKey("customer-3", 4));
  room.Pass(absl::Hours(1));
  CHECK(room.Log(PartitionOfKey("customer-3", 7)) == ScheduleRoom::Strings{"a"});
}

TEST_CASE("An event without a key goes to the partition that was named") {
  ScheduleRoom room;
  room.Schedule(ToPartition(room.Frame(absl::Hours(1), {"a", "b"}), 3));
  room.Pass(absl::Hours(1));
  CHECK(room.Log(3) == ScheduleRoom::Strings{"a", "b"});
}

TEST_CASE("A due event says who published it") {
  ScheduleRoom room;
  v1::PublishFrame frame = ToPartition(room.Frame(absl::Hours(1), {"a"}), 0);
  frame.mutable_open()->set_app("shop");
  room.Schedule(frame);
  frame = ToPartition(room.Frame(absl::Hours(1), {"b"}), 0);
  frame.mutable_open()->set_app("bank");
  room.Schedule(frame);
  room.Pass(absl::Hours(1));
  const auto batches =
      room.engine->Read(room.topics->Find("default", "reminders")->partition(0), Offset(0), 9999);
  REQUIRE_OK(batches);
  REQUIRE(batches->size() == 2);
  v1::BatchContext context;
  REQUIRE(context.ParseFromString(std::string((*batches)[0]->context.view())));
  CHECK(context.principal() == "alice");
  CHECK(context.app() == "shop");
  REQUIRE(context.ParseFromString(std::string((*batches)[1]->context.view())));
  CHECK(context.app() == "bank");
}

TEST_CASE("A full disk delays what is due and loses nothing") {
  ScheduleRoom room;
  room.Schedule(absl::Hours(1), {"a"});
  room.engine->SetDiskState(DiskState::kSoft);
  room.Pass(absl::Hours(1));
  room.Pass(absl::Minutes(10));
  CHECK(room.Log().empty());
  CHECK(room.schedules->overdue() == absl::Minutes(10));
  room.engine->SetDiskState(DiskState::kOk);
  room.Pass(absl::Minutes(1));
  CHECK(room.Log() == ScheduleRoom::Strings{"a"});
  CHECK(room.schedules->overdue() == absl::ZeroDuration());
}

TEST_CASE("A write of due events that fails is tried again") {
  ScheduleRoom room;
  room.Schedule(absl::Hours(1), {"a", "b"});
  room.engine->FailNextWrite(Error(v1::OUTCOME_UNKNOWN, "the disk is gone"));
  room.Pass(absl::Hours(1));
  CHECK(room.Log().empty());
  CHECK(room.List().size() == 2);
  room.Pass(absl::Seconds(5));
  CHECK(room.Log().size() == 2);
}

TEST_CASE("Many and large events that are due at once all come, in order") {
  ScheduleRoom room;
  ScheduleRoom::Strings expected;
  for (int frame = 0; frame < 5; ++frame) {
    ScheduleRoom::Strings data;
    for (int i = 0; i < 700; ++i) data.push_back(absl::StrCat(frame, ".", i));
    expected.insert(expected.end(), data.begin(), data.end());
    room.Schedule(ToPartition(room.Frame(absl::Hours(1), data), 2));
  }
  const ScheduleRoom::Strings large(9, std::string(900'000, 'x'));
  room.Schedule(ToPartition(room.Frame(absl::Hours(1), large), 2));
  expected.insert(expected.end(), large.begin(), large.end());
  room.Pass(absl::Hours(1));
  CHECK(room.Log(2) == expected);
  CHECK(room.schedules->delivered() == 3509);
}

TEST_CASE("One that cannot be read stops no other") {
  ScheduleRoom room;
  const auto ids = room.Schedule(ToPartition(room.Frame(absl::Hours(1), {"a", "b"}), 0));
  WriteRow(room, ids[0], "\xff\xff\xff");
  room.Pass(absl::Hours(1));
  CHECK(room.Log(0) == ScheduleRoom::Strings{"b"});
  room.Schedule(ToPartition(room.Frame(absl::Hours(1), {"c"}), 0));
  room.Pass(absl::Hours(1));
  CHECK(room.Log(0) == ScheduleRoom::Strings{"b", "c"});
  CHECK(room.schedules->overdue() == absl::Hours(1));
}

TEST_CASE("One that can never be read is cancelled, or goes with its topic") {
  ScheduleRoom room;
  room.CreateTopic("alarms", 1);
  const std::string id = room.Schedule(absl::Hours(1), {"a"}, "alarms")[0];
  WriteRow(room, id, "\xff");
  SECTION("cancelled before it is due") { CHECK_OK(room.Cancel(id, "alarms")); }
  SECTION("cancelled between two tries") {
    room.Pass(absl::Hours(1));
    CHECK_OK(room.Cancel(id, "alarms"));
  }
  SECTION("cancelled although its row is missing") {
    WriteRow(room, id, std::nullopt);
    room.Pass(absl::Hours(1));
    CHECK(ReasonOf(room.Cancel(id, "reminders")) == v1::SCHEDULE_NOT_FOUND);
    CHECK_OK(room.Cancel(id, "alarms"));
  }
  SECTION("with its topic between two tries") {
    room.Pass(absl::Hours(1));
    room.DeleteTopic("alarms");
  }
  SECTION("with its topic that was deleted during a try") {
    room.topics->SetChangeListener([](const Topic&, bool) {});
    room.Pass(absl::Hours(1));
    room.DeleteTopic("alarms");
    for (int i = 0; i < 3; ++i) room.Pass(absl::Minutes(1));
  }
  CHECK(room.schedules->waiting() == 0);
  CHECK(room.Rows() == 0);
  const CapturedStderr captured;
  for (int i = 0; i < 5; ++i) room.Pass(absl::Minutes(1));
  CHECK(captured.text().empty());
}

TEST_CASE("One that cannot be read is listed with its problem") {
  ScheduleRoom room;
  const auto ids = room.Schedule(absl::Hours(1), {"a", "b"});
  WriteRow(room, ids[0], "\xff");
  const auto listed = room.schedules->List(room.caller, {});
  REQUIRE_OK(listed);
  REQUIRE(listed->schedules_size() == 2);
  const v1::Schedule& unreadable = listed->schedules(0);
  CHECK(unreadable.schedule_id() == ids[0]);
  CHECK(unreadable.topic() == "reminders");
  CHECK(unreadable.deliver_at().seconds() == absl::ToUnixSeconds(room.now() + absl::Hours(1)));
  CHECK_FALSE(unreadable.problem().empty());
  CHECK(listed->schedules(1).schedule_id() == ids[1]);
  CHECK(listed->schedules(1).problem().empty());
}

TEST_CASE("Of one that can never be read the log says less and less") {
  ScheduleRoom room;
  WriteRow(room, room.Schedule(absl::Hours(1), {"a"})[0], "\xff");
  const CapturedStderr captured;
  room.Pass(absl::Hours(1));
  const auto lines = [&captured] {
    const std::string text = captured.text();
    return std::count(text.begin(), text.end(), '\n');
  };
  CHECK(lines() == 1);
  for (int i = 0; i < 4 * 60; ++i) room.Pass(absl::Minutes(1));
  CHECK(lines() >= 6);
  CHECK(lines() <= 10);
}

TEST_CASE("A topic's schedules go with the topic") {
  ScheduleRoom room;
  room.CreateTopic("alarms", 1);
  room.Schedule(absl::Hours(1), ScheduleRoom::Strings(1000, "x"), "alarms");
  room.Schedule(absl::Hours(1), ScheduleRoom::Strings(500, "x"), "alarms");
  room.Schedule(absl::Hours(1), {"a"});
  SECTION("at once") { room.DeleteTopic("alarms"); }
  SECTION("at the next start, when the broker ended in between") {
    room.topics->SetChangeListener([](const Topic&, bool) {});
    room.DeleteTopic("alarms");
    CHECK(room.Rows() == 3002);
    room.Restart();
  }
  CHECK(room.schedules->waiting() == 1);
  CHECK(room.Rows() == 2);
  room.CreateTopic("alarms", 1);
  room.Pass(absl::Hours(1));
  CHECK(room.Log(0, "alarms").empty());
  CHECK(room.Log() == ScheduleRoom::Strings{"a"});
}

TEST_CASE("What is on its way to the disk when its topic is deleted goes with the topic") {
  ScheduleRoom room;
  room.CreateTopic("alarms", 1);
  const TopicPtr topic = room.topics->Find("default", "alarms");
  v1::PartitionBatch batch;
  batch.add_events()->set_data("a");
  const std::string element = batch.SerializeAsString();
  const ScheduleRequest::Event event{element, EventIdHash()};
  const int64_t due_us = absl::ToUnixMicros(room.now() + absl::Hours(24));
  FrameNumbers numbers;
  auto reserved =
      room.schedules->Reserve({*topic, std::nullopt, due_us, "", {&event, 1}}, &numbers);
  REQUIRE_OK(reserved);
  room.DeleteTopic("alarms");
  Transaction transaction;
  transaction.rows = reserved->TakeRows();
  REQUIRE_OK(SubmitAndWait(*room.engine, std::move(transaction)).status);
  reserved->Commit();
  CHECK(room.Rows() == 2);
  room.pool.RunAll();
  CHECK(room.schedules->waiting() == 0);
  CHECK(room.Rows() == 0);
}

}  // namespace
}  // namespace acta
