// A pause over restarts of the broker: why, until when, by whom.
#include "absl/strings/match.h"
#include "proto/support/proto_time.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

v1::GroupPause PauseOf(QueueRoom& room) {
  v1::GetGroupRequest request;
  request.set_name("workers");
  const auto got = room.groups.Get(room.caller, request);
  REQUIRE_OK(got);
  return got->group().pause();
}

// Of a minute.
absl::Time PauseWorkers(QueueRoom& room) {
  const absl::Time until = room.engine.Now() + absl::Seconds(60);
  v1::PauseGroupRequest pause;
  pause.set_group("workers");
  pause.set_reason("deploying");
  SetTime(until, pause.mutable_until());
  REQUIRE_OK(room.groups.Pause(room.caller, pause));
  room.Run();
  return until;
}

TEST_CASE("a pause keeps why, until when and by whom over a restart, and ends in time", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  const absl::Time paused = room.engine.Now();
  const absl::Time until = PauseWorkers(room);
  room.Advance(absl::Seconds(20));

  QueueRoom next(room.engine.Restart());
  const v1::GroupPause pause = PauseOf(next);
  CHECK(pause.by() == "alice");
  CHECK(pause.reason() == "deploying");
  CHECK(ToTime(pause.pause_time()) == paused);
  CHECK(ToTime(pause.until()) == until);
  Client& client = next.Work();
  CHECK(client.sink.Notices("GROUP_PAUSED").size() == 1);
  CHECK(next.Explain().code() == v1::STANDSTILL_CODE_PAUSED);
  CHECK(next.Explain().text() == "paused by 'alice': deploying");
  next.Wait(absl::Seconds(40) - absl::Microseconds(1));
  CHECK(client.sink.leased.empty());
  next.Advance(absl::Microseconds(1));
  CHECK(client.sink.Notices("GROUP_RESUMED").size() == 1);
  CHECK(next.DataOf(client) == Strings{"a"});

  QueueRoom last(next.engine.Restart());
  CHECK(PauseOf(last).reason().empty());
}

TEST_CASE("what was leased for a member and not sent is given back when its group is paused",
          "[queue]") {
  QueueRoom room(QueueRoom::Attempts(1));
  room.Publish(0, {"first"});
  v1::SubscribeStart start;
  start.set_group("workers");
  start.set_max_frame_bytes(64 << 10);
  Client& client = room.Subscribe(start);
  client.reads = false;  // One frame is on its way, and no other.
  room.Publish(0, Strings(500, std::string(1000, 'x')));
  room.Run();
  const auto leased = [&] { return room.Lag("workers", 0).queue().leased(); };
  REQUIRE(client.sink.leased.size() < 500);
  REQUIRE(leased() > static_cast<int64_t>(client.sink.leased.size()));
  PauseWorkers(room);
  CHECK(leased() == static_cast<int64_t>(client.sink.leased.size()));
  client.reads = true;
  size_t acked = 0;
  for (int i = 0; i < 20; ++i) {
    room.Run();
    while (acked < client.sink.leased.size()) client.Ack(client.sink.leased[acked++]);
    room.Wait(absl::Seconds(5));
  }
  CHECK(client.sink.leased.size() == 501);  // None was delivered twice, nor lost its attempt.
  CHECK(room.Lag("workers", 0).lag_events() == 0);
  CHECK(room.DeadLetters().dead_letters().empty());
}

TEST_CASE("what is being read for a member is given back when its group is paused", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(2));
  Client& client = room.ReadOneAnew();
  v1::PauseGroupRequest pause;
  pause.set_group("workers");
  pause.set_reason("deploying");
  SetTime(room.engine.Now() + absl::Seconds(60), pause.mutable_until());
  REQUIRE_OK(room.groups.Pause(room.caller, pause));
  room.pool.PutOff();
  room.Run();
  CHECK(room.Lag("workers", 0).queue().leased() == 0);
  CHECK(client.sink.leased.size() == 500);
  room.Wait(absl::Seconds(62));  // Longer than the pause.
  REQUIRE(client.sink.leased.size() == 501);
  CHECK(client.sink.leased[500].offset == 5);
  CHECK(client.sink.leased[500].attempt == 2);
  CHECK(room.DeadLetters().dead_letters().empty());
}

TEST_CASE("a pause that ends while the disk is full ends when it has room", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  PauseWorkers(room);
  Client& client = room.Work();
  room.engine.SetDiskState(DiskState::kHard);
  room.Wait(absl::Minutes(3));
  CHECK(client.sink.leased.empty());
  room.engine.SetDiskState(DiskState::kOk);
  room.Wait(absl::Seconds(2));
  CHECK(room.DataOf(client) == Strings{"a"});
}

TEST_CASE("a group has one timer for the end of its pause, while there is one", "[queue]") {
  QueueRoom room;
  const size_t before = room.timer.waiting();
  for (int i = 0; i < 10; ++i) PauseWorkers(room);
  CHECK(room.timer.waiting() == before + 1);
  SECTION("until it is resumed") {
    v1::ResumeGroupRequest resume;
    resume.set_group("workers");
    REQUIRE_OK(room.groups.Resume(room.caller, resume));
  }
  SECTION("until it is paused without an end") {
    v1::PauseGroupRequest pause;
    pause.set_group("workers");
    pause.set_reason("who knows");
    REQUIRE_OK(room.groups.Pause(room.caller, pause));
  }
  SECTION("until it is deleted") {
    v1::DeleteGroupRequest deletion;
    deletion.set_name("workers");
    REQUIRE_OK(room.groups.Delete(room.caller, deletion));
  }
  CHECK(room.timer.waiting() == before);
}

TEST_CASE("time that no timer saw ends a pause too", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  v1::PauseGroupRequest pause;
  pause.set_group("workers");
  pause.set_reason("deploying");
  SetTime(room.engine.Now() + absl::Hours(8), pause.mutable_until());
  REQUIRE_OK(room.groups.Pause(room.caller, pause));
  const size_t timers = room.timer.waiting();
  room.Wait(absl::Minutes(2));
  CHECK(room.timer.waiting() == timers);
  Client& client = room.Work();
  CHECK(client.sink.leased.empty());
  // As over a suspend of the machine, or when a jump of its clock was accepted.
  room.engine.Advance(absl::Hours(8));
  room.Wait(absl::Minutes(1));
  CHECK(PauseOf(room).reason().empty());
  CHECK(QueueRoom::DataOf(client) == Strings{"a"});
}

TEST_CASE("a pause that is over when the broker starts is over", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  PauseWorkers(room);
  room.engine.Advance(absl::Hours(1));  // Nobody is there.
  QueueRoom next(room.engine.Restart());
  next.Advance(absl::Milliseconds(1));
  CHECK(PauseOf(next).reason().empty());
  Client& client = next.Work();
  next.Wait(absl::Seconds(10));  // What a member may have held.
  CHECK(next.DataOf(client) == Strings{"a"});
}

TEST_CASE("a pause without an end goes on over restarts until somebody resumes it", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  v1::PauseGroupRequest pause;
  pause.set_group("workers");
  pause.set_reason("who knows");
  REQUIRE_OK(room.groups.Pause(room.caller, pause));
  QueueRoom next(room.engine.Restart());
  Client& client = next.Work();
  next.Wait(absl::Hours(3));
  CHECK(client.sink.leased.empty());
  v1::ResumeGroupRequest resume;
  resume.set_group("workers");
  REQUIRE_OK(next.groups.Resume(next.caller, resume));
  next.Run();
  CHECK(next.DataOf(client) == Strings{"a"});
}

TEST_CASE("after a restart what a member may hold is nobody's for 10 s, and not longer",
          "[queue]") {
  const bool ordered = GENERATE(false, true);
  QueueRoom room(ordered ? QueueRoom::Ordered() : v1::QueueSettings());
  room.PublishKeyed({{"k", "a"}, {"j", "b"}});
  room.Work();
  QueueRoom next(room.engine.Restart());
  Client& client = next.Work();
  next.Wait(absl::Seconds(10) - absl::Microseconds(1));
  CHECK(client.sink.leased.empty());
  CHECK(next.Explain().code() == v1::STANDSTILL_CODE_LEASE_HELD);
  CHECK(absl::StrContains(next.Explain().text(), "before the broker's restart"));
  next.Wait(absl::Microseconds(1));
  next.Run();
  CHECK(next.DataOf(client) == Strings{"a", "b"});
}

}  // namespace
}  // namespace acta
