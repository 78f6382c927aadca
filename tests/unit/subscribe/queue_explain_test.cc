// Why a group does not advance: the codes, and what is told twice of a lag.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/proto_time.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

TEST_CASE("a queue whose events nobody has credit for is ADVANCING", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 3);
  Client& client = room.Work(1);
  v1::PartitionExplanation why = room.Explain();
  CHECK(why.code() == v1::STANDSTILL_CODE_ADVANCING);
  CHECK(why.text() == "2 events wait for a member with credit");
  CHECK(why.command().empty());
  CHECK(why.lag_events() == 3);
  room.Advance(absl::Seconds(10) - absl::Microseconds(1));
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_ADVANCING);
  SECTION("and it stands when those who have some settle nothing for 10 s") {
    room.Advance(absl::Microseconds(1));
    why = room.Explain();
    CHECK(why.code() == v1::STANDSTILL_CODE_LEASE_HELD);
    CHECK(why.text() ==
          "members have leases on 1 events and settle none of them; 2 wait for one with credit");
    CHECK(why.command() == "acta group describe workers");
  }
  client.Credit(10, 1000);
  room.Run();
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_LEASE_HELD);
}

TEST_CASE("a queue names the event that the disk does not give while it is asked again",
          "[queue]") {
  QueueRoom room;
  Client& client = room.ReadOneAnew();
  room.engine.FailReadsAt(room.Id(0), Offset(QueueRoom::kColdOffset),
                          Error(v1::DATA_CORRUPTED, "cannot be read", {{kIoErrorDetail, "true"}}));
  room.Run();
  const v1::PartitionExplanation why = room.Explain();
  CHECK(why.code() == v1::STANDSTILL_CODE_GAP);
  CHECK(why.text() ==
        "the disk does not give the event at offset 5 (cannot be read): it is asked again every "
        "second for 300 s, and the group stands still there then; it comes by itself, or skip it");
  CHECK(why.command() ==
        "acta group skip workers --topic orders --partition 0 --offset 5 --reason \"...\"");
  room.Wait(absl::Seconds(2));
  CHECK(absl::StrContains(room.Explain().text(), " for 298 s, "));
  CHECK(client.sink.gaps().empty());
  room.engine.FailReadsAt(room.Id(0), Offset(QueueRoom::kColdOffset), absl::OkStatus());
  room.Wait(absl::Seconds(2));
  REQUIRE(client.sink.leased.size() == 501);
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_LEASE_HELD);
}

TEST_CASE("after a restart new events of an unordered queue are not said to be held", "[queue]") {
  v1::QueueSettings settings;
  settings.set_max_attempts(5);
  QueueRoom room(settings);
  room.PublishNumbers(0, 1);
  Client& client = room.Work();
  client.Nack(client.sink.leased.at(0));
  room.Run();
  QueueRoom next(room.engine.Restart());
  next.PublishNumbers(0, 2);
  next.Work(1);
  v1::PartitionExplanation why = next.Explain();
  CHECK(why.code() == v1::STANDSTILL_CODE_ADVANCING);
  CHECK(why.text() == "1 events wait for a member with credit");
}

TEST_CASE("after a restart what nobody has said to hold yet is LEASE_HELD beside what somebody did",
          "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 3);
  room.Work(3, "worker-1");
  QueueRoom next(room.engine.Restart());
  v1::SubscribeStart start;
  start.set_group("workers");
  start.set_member_id("worker-1");
  v1::HeldEvents* const held = start.add_held();
  held->set_topic("orders");
  held->set_offset(1);
  next.Subscribe(start);
  REQUIRE(next.Lag("workers", 0).queue().leased() == 1);
  const v1::PartitionExplanation why = next.Explain();
  CHECK(why.code() == v1::STANDSTILL_CODE_LEASE_HELD);
  CHECK(absl::StartsWith(why.text(), "2 events may be held by members of before"));
}

TEST_CASE("events whose key is free only when the disk has written it are KEY_BLOCKED", "[queue]") {
  QueueRoom room(QueueRoom::Ordered());
  room.PublishKeyed({{"k", "1"}, {"k", "2"}, {"k", "3"}});
  Client& client = room.Work();
  room.engine.HoldDone();
  client.Ack(client.sink.leased.at(0));
  room.Run();
  const v1::PartitionExplanation why = room.Explain();
  CHECK(why.code() == v1::STANDSTILL_CODE_KEY_BLOCKED);
  CHECK(why.text() == "2 events wait for an earlier one of their key");
  CHECK(why.offset() == 1);
  CHECK(room.Lag("workers", 0).queue().blocked_by_key() == 2);
  CHECK(room.DataOf(client) == Strings{"1"});
  room.engine.ReleaseDone();
  room.Run();
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_LEASE_HELD);
  CHECK(room.DataOf(client) == Strings{"1", "2"});
}

TEST_CASE("a STREAM group says why it does not advance", "[queue]") {
  QueueRoom room;
  Client& client = room.Subscribe(room.Member("readers", "one"));
  CHECK(room.Explain("readers").code() == v1::STANDSTILL_CODE_CAUGHT_UP);
  room.PublishNumbers(0, 3);
  room.Run();
  v1::PartitionExplanation why = room.Explain("readers");
  CHECK(why.code() == v1::STANDSTILL_CODE_NOT_COMMITTED);
  CHECK(why.text() == "member 'one' has the partition and has never committed: look into its log");
  CHECK(why.command() == "acta group describe readers");
  client.Commit(client.sink.Handle(0), 1);
  room.Run();
  why = room.Explain("readers");
  CHECK(why.code() == v1::STANDSTILL_CODE_ADVANCING);
  CHECK(why.text() == "member 'one' commits");
  CHECK(why.offset() == 1);
  CHECK(why.lag_events() == 2);
  room.Wait(absl::Seconds(10) - absl::Microseconds(1));
  CHECK(room.Explain("readers").code() == v1::STANDSTILL_CODE_ADVANCING);
  room.Advance(absl::Microseconds(1));
  why = room.Explain("readers");
  CHECK(why.code() == v1::STANDSTILL_CODE_NOT_COMMITTED);
  CHECK(why.text() ==
        "member 'one' has the partition and has not committed for 10 s: look into its log");
  client.stream->OnHalfClose();
  room.Run();
  CHECK(room.Explain("readers").code() == v1::STANDSTILL_CODE_NO_MEMBER);
  CHECK(room.Explain("readers").command() == "acta subscribe orders --group readers");
  room.engine.TrimTo(room.Id(0), Offset(2));
  why = room.Explain("readers");
  CHECK(why.code() == v1::STANDSTILL_CODE_GAP);
  CHECK(why.text() == "1 events from offset 1 on are gone by retention");
  CHECK(why.command() == "acta group reset readers --topic orders --to 0:2 --reason \"...\"");
}

TEST_CASE("a group without members is joined with all that it reads", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  v1::CreateGroupRequest create;
  create.mutable_group()->set_name("two");
  create.mutable_start()->set_earliest(true);
  create.mutable_group()->add_topics("orders");
  room.MakeTopic(1, "flights");
  create.mutable_group()->add_topics("flights");
  REQUIRE_OK(room.groups.Create(room.caller, create));
  CHECK(room.Explain("two").code() == v1::STANDSTILL_CODE_NO_MEMBER);
  CHECK(room.Explain("two").command() == "acta subscribe orders flights --group two");
  create.mutable_group()->set_name("many");
  for (int i = 2; i < 9; ++i) {
    const std::string topic = "more-" + std::to_string(i);
    room.MakeTopic(1, topic);
    create.mutable_group()->add_topics(topic);
  }
  REQUIRE_OK(room.groups.Create(room.caller, create));
  CHECK(room.Explain("many").code() == v1::STANDSTILL_CODE_NO_MEMBER);
  CHECK(room.Explain("many").command() == "acta group describe many");
}

TEST_CASE("a STREAM group whose log was cut below its position is reset, and not skipped",
          "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 10);
  Client& before = room.Subscribe(room.Member("readers"));
  before.Commit(before.sink.Handle(0), 9);
  room.Run();
  before.stream->OnHalfClose();
  room.Run();
  room.engine.LoseTail(room.Id(0), Offset(6));
  QueueRoom next(room.engine.Restart());
  v1::PartitionExplanation why = next.Explain("readers");
  CHECK(why.code() == v1::STANDSTILL_CODE_GAP);
  CHECK(why.text() ==
        "the log was cut at offset 6 in incarnation 2, and the group had come as far as offset 9: "
        "what is there now are other events");
  const std::string reset = "acta group reset readers --topic orders --to 0:6 --reason \"...\"";
  CHECK(why.command() == reset);
  next.PublishNumbers(0, 20);
  Client& client = next.Subscribe(next.Member("readers"));
  REQUIRE(client.sink.gaps().size() == 1);
  CHECK(client.sink.gaps()[0].status().reason() == v1::LOG_TRUNCATED);
  why = next.Explain("readers");
  CHECK(why.code() == v1::STANDSTILL_CODE_GAP);
  CHECK(why.command() == reset + " --force");
  for (const bool dry_run : {true, false}) {
    v1::SkipOffsetsRequest skip;
    skip.set_group("readers");
    skip.set_topic("orders");
    skip.set_offset(9);
    skip.set_reason("one that cannot be processed");
    skip.set_dry_run(dry_run);
    const absl::Status refused = next.groups.Skip(next.caller, skip).status();
    CHECK(ReasonOf(refused) == v1::LOG_TRUNCATED);
    CHECK(DetailsOf(refused).at("offset") == "6");
  }
  next.Run();
  CHECK_FALSE(client.sink.result.has_value());  // Nobody was ended for it.
  v1::ResetOffsetsRequest request;
  request.set_group("readers");
  request.mutable_to()->set_offset(6);
  request.set_reason("the log was cut");
  request.set_force(true);
  REQUIRE_OK(next.groups.ResetOffsets(next.caller, request));
  next.Run();
  CHECK(next.Explain("readers").code() == v1::STANDSTILL_CODE_NO_MEMBER);
  Client& anew = next.Subscribe(next.Member("readers"));
  CHECK(anew.sink.gaps().empty());
  CHECK(anew.sink.Data(0) == next.Numbers(0, 20));
}

// In seconds: of the oldest that is not settled, of the oldest that was never delivered.
std::string BehindOf(QueueRoom& room) {
  const v1::PartitionLag lag = room.Lag("workers", 0);
  const auto seconds = [](const auto& time) { return absl::ToInt64Seconds(ToDuration(time)); };
  return absl::StrCat(seconds(lag.behind()), " ", seconds(lag.queue().behind_never_delivered()));
}

TEST_CASE("seconds behind are told twice: oldest not settled, oldest never delivered", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(5));
  CHECK(BehindOf(room) == "0 0");
  room.Publish(0, {"a"});
  room.Advance(absl::Seconds(100));
  room.Publish(0, {"b"});
  room.Advance(absl::Seconds(10));
  CHECK(BehindOf(room) == "110 110");  // Nobody has looked at them.
  Client& client = room.Work(1);
  REQUIRE(room.DataOf(client) == Strings{"a"});
  CHECK(BehindOf(room) == "110 10");
  client.Settle(v1::SETTLE_KIND_RELEASE, client.sink.leased[0]);
  room.Run();
  CHECK(BehindOf(room) == "110 10");  // It was delivered once.
  client.Credit(1, 1000);
  room.Run();
  REQUIRE(room.DataOf(client) == Strings{"a", "a"});
  client.Nack(client.sink.leased[1]);
  client.Credit(1, 1000);
  room.Run();
  REQUIRE(room.DataOf(client) == Strings{"a", "a", "b"});
  CHECK(BehindOf(room) == "110 0");  // "a" waits for another attempt.
  client.Credit(1, 1000);
  room.Advance(absl::Seconds(2));
  REQUIRE(room.DataOf(client) == Strings{"a", "a", "b", "a"});
  client.Ack(client.sink.leased[3]);
  room.Run();
  CHECK(BehindOf(room) == "12 0");
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased[2]);
  room.Run();
  CHECK(BehindOf(room) == "0 0");
}

TEST_CASE("a lag is exact when everything was looked at, else an upper bound", "[queue]") {
  QueueRoom room;
  const int64_t soon = absl::ToUnixMicros(room.engine.Now() + absl::Seconds(5));
  room.PublishElements(0, Element("1") + Element("2", "", soon) + Element("3"), 3);
  room.Advance(absl::Seconds(6));
  const auto check = [&room](bool exact, int64_t events, int64_t not_scanned) {
    const v1::PartitionLag lag = room.Lag("workers", 0);
    CHECK(lag.exact() == exact);
    CHECK(lag.lag_events() == events);
    CHECK(lag.queue().not_scanned() == not_scanned);
  };
  check(false, 3, 3);  // One of them has expired, and nobody knows.
  Client& client = room.Work(1);
  REQUIRE(client.sink.leased.size() == 1);
  check(true, 2, 0);
  room.Publish(0, {"4"});
  room.Run();
  check(false, 3, 1);
  client.Credit(10, 1000);
  room.Run();
  REQUIRE(room.DataOf(client) == Strings{"1", "3", "4"});
  check(true, 3, 0);
}

}  // namespace
}  // namespace acta
