// Listing, moving and cancelling what waits.
#include <thread>

#include "tests/unit/schedules/schedule_room.h"

namespace acta {
namespace {

TEST_CASE("A schedule that is moved is due at its new time only") {
  ScheduleRoom room;
  const auto ids = room.Schedule(absl::Hours(1), {"a"});
  SECTION("to a later one") {
    REQUIRE_OK(room.Move(ids[0], absl::Hours(2)));
    room.Pass(absl::Hours(1));
    CHECK(room.Log().empty());
    room.Pass(absl::Hours(1));
  }
  SECTION("to an earlier one") {
    REQUIRE_OK(room.Move(ids[0], absl::Minutes(1)));
    room.Pass(absl::Minutes(1));
  }
  SECTION("also across a restart") {
    REQUIRE_OK(room.Move(ids[0], absl::Hours(2)));
    room.Restart();
    room.Pass(absl::Hours(1));
    CHECK(room.Log().empty());
    room.Pass(absl::Hours(1));
  }
  CHECK(room.Log() == ScheduleRoom::Strings{"a"});
  room.Pass(absl::Hours(9));
  CHECK(room.Log() == ScheduleRoom::Strings{"a"});
}

TEST_CASE("A schedule that is moved to a time that is over is delivered now") {
  ScheduleRoom room;
  const auto ids = room.Schedule(absl::Hours(1), {"a"});
  REQUIRE_OK(room.Move(ids[0], -absl::Hours(24 * 365 * 300)));
  room.Pass(absl::ZeroDuration());
  CHECK(room.Log() == ScheduleRoom::Strings{"a"});
}

TEST_CASE("A schedule is not moved beyond 400 days") {
  ScheduleRoom room;
  const auto ids = room.Schedule(absl::Hours(1), {"a"});
  REQUIRE_OK(room.Move(ids[0], absl::Hours(24 * 400)));
  CHECK(ReasonOf(room.Move(ids[0], absl::Hours(24 * 400) + absl::Seconds(1))) ==
        v1::SCHEDULE_TOO_FAR);
  v1::MoveScheduleRequest request;
  request.set_topic("reminders");
  request.set_schedule_id(ids[0]);
  request.mutable_deliver_at()->set_nanos(-1);
  CHECK(ReasonOf(room.schedules->Move(room.caller, request).status()) == v1::INVALID_ARGUMENT);
}

TEST_CASE("A cancelled event never comes") {
  ScheduleRoom room;
  const auto ids = room.Schedule(absl::Hours(1), {"a", "b", "c"});
  REQUIRE_OK(room.Cancel(ids[1]));
  CHECK(ReasonOf(room.Cancel(ids[1])) == v1::SCHEDULE_NOT_FOUND);
  room.Restart();
  room.Pass(absl::Hours(1));
  CHECK(room.Log().size() == 2);
  CHECK(room.Rows() == 0);
  CHECK(ReasonOf(room.Cancel(ids[0])) == v1::SCHEDULE_NOT_FOUND);
}

TEST_CASE("What is delivered is neither moved nor cancelled any more") {
  ScheduleRoom room;
  const auto ids = room.Schedule(absl::Hours(1), {"a"});
  room.engine->HoldDone();
  room.Pass(absl::Hours(1));
  CHECK(ReasonOf(room.Cancel(ids[0])) == v1::SCHEDULE_NOT_FOUND);
  CHECK(ReasonOf(room.Move(ids[0], absl::Hours(1))) == v1::SCHEDULE_NOT_FOUND);
  room.engine->ReleaseDone();
  room.Pass(absl::ZeroDuration());
  CHECK(room.Log() == ScheduleRoom::Strings{"a"});
}

TEST_CASE("While one call moves a schedule another one is told to retry") {
  ScheduleRoom room;
  const auto ids = room.Schedule(absl::Hours(1), {"a"});
  room.engine->HoldDone();
  absl::Status moved;
  std::thread mover([&] { moved = room.Move(ids[0], absl::Hours(2)); });
  while (room.engine->held() == 0) std::this_thread::yield();
  CHECK(ReasonOf(room.Cancel(ids[0])) == v1::CONCURRENT_CHANGE);
  room.engine->ReleaseDone();
  mover.join();
  CHECK_OK(moved);
  REQUIRE_OK(room.Cancel(ids[0]));
  room.Pass(absl::Hours(3));
  CHECK(room.Log().empty());
}

TEST_CASE("A cancellation that fails leaves the schedule as it was") {
  ScheduleRoom room;
  const auto ids = room.Schedule(absl::Hours(1), {"a"});
  room.engine->SetDiskState(DiskState::kHard);
  CHECK(ReasonOf(room.Cancel(ids[0])) == v1::DISK_FULL);
  CHECK(ReasonOf(room.Move(ids[0], absl::Hours(2))) == v1::DISK_FULL);
  room.engine->SetDiskState(DiskState::kOk);
  room.Pass(absl::Hours(1));
  CHECK(room.Log() == ScheduleRoom::Strings{"a"});
}

TEST_CASE("Schedules are listed as they are due, by topic, up to a time and in pages") {
  ScheduleRoom room;
  room.CreateTopic("alarms", 1);
  const auto later = room.Schedule(absl::Hours(2), {"b", "c"});
  const auto first = room.Schedule(absl::Hours(1), {"a"});
  const auto alarm = room.Schedule(absl::Minutes(90), {"x"}, "alarms");
  CHECK(room.List() == ScheduleRoom::Strings{first[0], alarm[0], later[0], later[1]});
  v1::ListSchedulesRequest request;
  request.set_topic("reminders");
  CHECK(room.List(request) == ScheduleRoom::Strings{first[0], later[0], later[1]});
  request.mutable_before()->set_seconds(absl::ToUnixSeconds(room.now() + absl::Hours(2)));
  CHECK(room.List(request) == first);
  request.clear_before();
  request.set_page_size(2);
  const auto page = room.schedules->List(room.caller, request);
  REQUIRE_OK(page);
  REQUIRE(page->schedules_size() == 2);
  REQUIRE_FALSE(page->next_page_token().empty());
  request.set_page_token(page->next_page_token());
  const auto last = room.schedules->List(room.caller, request);
  REQUIRE_OK(last);
  REQUIRE(last->schedules_size() == 1);
  CHECK(last->schedules(0).schedule_id() == later[1]);
  CHECK(last->next_page_token().empty());
}

TEST_CASE("A list says what is wrong with what it is asked") {
  ScheduleRoom room;
  const auto reason = [&room](auto change) {
    v1::ListSchedulesRequest request;
    change(request);
    return ReasonOf(room.schedules->List(room.caller, request).status());
  };
  CHECK(reason([](auto& request) { request.set_topic("nothing"); }) == v1::TOPIC_NOT_FOUND);
  CHECK(reason([](auto& request) { request.set_tenant("other"); }) == v1::TENANT_NOT_FOUND);
  CHECK(reason([](auto& request) { request.set_page_size(1001); }) == v1::INVALID_ARGUMENT);
  CHECK(reason([](auto& request) { request.set_page_token("?"); }) == v1::INVALID_ARGUMENT);
  CHECK(reason([](auto& request) { request.mutable_before()->set_nanos(-1); }) ==
        v1::INVALID_ARGUMENT);
}

TEST_CASE("A schedule is shown with its event") {
  ScheduleRoom room;
  v1::PublishFrame frame = room.Frame(absl::Hours(1), {"a"});
  frame.mutable_open()->set_app("shop");
  v1::Event* event = frame.mutable_batches(0)->mutable_events(0);
  event->set_id("1");
  event->set_key("k");
  event->set_type("due");
  v1::GetScheduleRequest request;
  request.set_topic("reminders");
  request.set_schedule_id(room.Schedule(frame)[0]);
  const auto got = room.schedules->Get(room.caller, request);
  REQUIRE_OK(got);
  const v1::Schedule& schedule = got->schedule();
  CHECK(schedule.event().SerializeAsString() == event->SerializeAsString());
  CHECK(schedule.event_id() == "1");
  CHECK(schedule.event_key() == "k");
  CHECK(schedule.event_type() == "due");
  CHECK(schedule.event_bytes() == static_cast<int32_t>(event->ByteSizeLong()));
  CHECK(schedule.principal() == "alice");
  CHECK(schedule.app() == "shop");
  CHECK_FALSE(schedule.has_partition());
  CHECK(schedule.deliver_at().seconds() - schedule.scheduled_at().seconds() == 3600);
}

TEST_CASE("An id that is none, or of another topic, is refused") {
  ScheduleRoom room;
  room.CreateTopic("alarms", 1);
  const auto ids = room.Schedule(absl::Hours(1), {"a"});
  CHECK(ReasonOf(room.Cancel("")) == v1::INVALID_ARGUMENT);
  CHECK(ReasonOf(room.Cancel("x")) == v1::INVALID_ARGUMENT);
  CHECK(ReasonOf(room.Cancel("0" + ids[0])) == v1::INVALID_ARGUMENT);
  CHECK(ReasonOf(room.Cancel("7")) == v1::SCHEDULE_NOT_FOUND);
  CHECK(ReasonOf(room.Cancel(ids[0], "alarms")) == v1::SCHEDULE_NOT_FOUND);
  CHECK(ReasonOf(room.Cancel(ids[0], "nothing")) == v1::TOPIC_NOT_FOUND);
  CHECK(room.List() == ids);
}

}  // namespace
}  // namespace acta
