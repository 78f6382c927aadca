// Skipping events of a QUEUE group.
#include "absl/strings/match.h"
#include "storage/layout/rows.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

TEST_CASE("events that nobody has looked at yet are skipped too", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 10);
  v1::SkipOffsetsRequest skip;
  skip.set_group("workers");
  skip.set_topic("orders");
  skip.set_offset(2);
  skip.set_count(3);
  skip.set_reason("test orders");
  skip.set_dry_run(true);
  CHECK(room.groups.Skip(room.caller, skip)->skipped() == 3);
  skip.set_dry_run(false);
  CHECK(room.groups.Skip(room.caller, skip)->skipped() == 3);
  CHECK(room.Lag("workers", 0).lag_events() == 7);
  Client& client = room.Work();
  CHECK(room.DataOf(client) == std::vector<std::string>{"0", "1", "5", "6", "7", "8", "9"});
}

v1::SkipOffsetsRequest SkipFrom(int64_t offset, int32_t count) {
  v1::SkipOffsetsRequest skip;
  skip.set_group("workers");
  skip.set_topic("orders");
  skip.set_offset(offset);
  skip.set_count(count);
  skip.set_reason("cannot be read");
  return skip;
}

TEST_CASE("skipping what cannot be read leaves those alone that members have", "[queue]") {
  QueueRoom room;
  for (int i = 0; i < 3; ++i)
    room.PublishElements(0, Element("a") + Element("b") + Element("c"), 3);
  room.engine.CorruptBatch(room.Id(0), Offset(4));
  Client& one = room.Work(1000, "one");
  REQUIRE(one.sink.leased.size() == 3);
  const v1::PartitionExplanation why = room.Explain();
  CHECK(why.code() == v1::STANDSTILL_CODE_GAP);
  CHECK(why.command() ==
        "acta group skip workers --topic orders --partition 0 --offset 3 --count 3 "
        "--reason \"...\"");
  v1::SkipOffsetsRequest skip = SkipFrom(3, 3);
  skip.set_dry_run(true);
  CHECK(room.groups.Skip(room.caller, skip)->skipped() == 3);
  skip.set_dry_run(false);
  CHECK(room.groups.Skip(room.caller, skip)->skipped() == 3);
  room.Run();
  CHECK(one.sink.leased.size() == 6);
  one.Ack(one.sink.leased[0]);
  room.Run();
  CHECK(one.sink.errors().empty());
  one.stream->OnHalfClose();
  room.Run();
  CHECK(room.DataOf(room.Work(1000, "two")) == Strings{"b", "c", "a", "b", "c"});
}

TEST_CASE("a skip of more than the window holds takes all of it", "[queue]") {
  QueueRoom room;
  for (int i = 0; i < 25; ++i) {
    std::string elements;
    for (int n = 0; n < 1000; ++n) elements += Element("x");
    room.PublishElements(0, elements, 1000);
  }
  v1::SkipOffsetsRequest skip = SkipFrom(0, 24'999);
  skip.set_dry_run(true);
  CHECK(room.groups.Skip(room.caller, skip)->skipped() == 24'999);
  // What is behind the window cannot be reached without what is before it.
  skip.set_offset(22'000);
  skip.set_count(100);
  for (const bool dry_run : {true, false}) {
    skip.set_dry_run(dry_run);
    const absl::Status refused = room.groups.Skip(room.caller, skip).status();
    CHECK(ReasonOf(refused) == v1::LIMIT_EXCEEDED);
    CHECK(DetailsOf(refused).at("offset") == "20000");
  }
  CHECK(room.groups.Skip(room.caller, SkipFrom(0, 24'999))->skipped() == 24'999);
  CHECK(room.DataOf(room.Work()) == Strings{"x"});
}

TEST_CASE("a skip takes what nobody looked at, also while as many are parked as may be",
          "[queue]") {
  constexpr int kMostParked = QueueRoom::kMostParked;
  QueueRoom room;
  Client& client = room.Work(QueueRoom::kParkedAtOnce);
  room.ParkAsManyAsMayBe(client);
  room.PublishNumbers(0, 10);
  room.Run();
  REQUIRE(room.Explain().code() == v1::STANDSTILL_CODE_WINDOW_FULL);
  CHECK(ReasonOf(room.groups.Skip(room.caller, SkipFrom(kMostParked + 1, 2)).status()) ==
        v1::LIMIT_EXCEEDED);
  CHECK(room.groups.Skip(room.caller, SkipFrom(kMostParked, 9))->skipped() == 9);
  CHECK(room.groups.Skip(room.caller, SkipFrom(0, 1))->skipped() == 1);
  room.Run();
  CHECK(room.DataOf(client).back() == "9");
  CHECK(client.sink.leased.back().offset == kMostParked + 9);
}

TEST_CASE("a skip counts what is outstanding, also after a restart and while nobody asks",
          "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 100, 10);
  Client& client = room.Work();
  for (const RecordingSink::Leased& event : client.sink.leased) {
    if (event.offset != 5) client.Ack(event);
  }
  client.stream->OnHalfClose();
  room.Run();
  QueueRoom next(room.engine.Restart());
  v1::SkipOffsetsRequest skip = SkipFrom(5, 90);
  skip.set_dry_run(true);
  CHECK(next.groups.Skip(next.caller, skip)->skipped() == 1);
  CHECK(next.groups.Skip(next.caller, SkipFrom(5, 90))->skipped() == 1);
  CHECK(next.Lag("workers", 0).lag_events() == 0);
}

TEST_CASE("a skip behind what retention took says that it is gone", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 10);
  room.engine.before_trim = nullptr;
  room.engine.TrimTo(room.Id(0), Offset(4));
  CHECK(ReasonOf(room.groups.Skip(room.caller, SkipFrom(6, 2)).status()) == v1::GAP);
  CHECK(room.groups.Skip(room.caller, SkipFrom(0, 6))->skipped() == 6);
  CHECK(room.groups.Skip(room.caller, SkipFrom(6, 2))->skipped() == 2);
}

TEST_CASE("a queue whose log was cut below its position is reset, and not skipped", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 120, 10);
  Client& before = room.Work();
  REQUIRE(before.sink.leased.size() == 120);
  for (const RecordingSink::Leased& event : before.sink.leased) before.Ack(event);
  room.Run();
  before.stream->OnHalfClose();
  room.Run();
  REQUIRE(room.Lag("workers", 0).lag_events() == 0);
  room.engine.LoseTail(room.Id(0), Offset(100));
  QueueRoom next(room.engine.Restart());
  next.PublishNumbers(0, 50, 10);
  Client& client = next.Work();
  next.Wait(absl::Seconds(15));  // The grace too.
  CHECK(client.sink.leased.empty());
  REQUIRE(client.sink.gaps().size() == 1);
  CHECK(client.sink.gaps()[0].status().reason() == v1::LOG_TRUNCATED);
  CHECK(client.sink.gaps()[0].first_lost() == 100);
  CHECK(client.sink.gaps()[0].last_lost() == 119);
  const std::string reset =
      "acta group reset workers --topic orders --to 0:100 --reason \"...\" --force";
  CHECK(next.Explain().code() == v1::STANDSTILL_CODE_GAP);
  CHECK(next.Explain().command() == reset);
  for (const bool dry_run : {true, false}) {
    for (const auto& [offset, count] : {std::pair(100, 20), std::pair(120, 1), std::pair(0, 150)}) {
      v1::SkipOffsetsRequest skip = SkipFrom(offset, count);
      skip.set_dry_run(dry_run);
      const absl::Status refused = next.groups.Skip(next.caller, skip).status();
      CHECK(ReasonOf(refused) == v1::LOG_TRUNCATED);
      CHECK(DetailsOf(refused).at("offset") == "100");
    }
  }
  CHECK(next.groups.Skip(next.caller, SkipFrom(90, 10))->skipped() == 0);
  CHECK(next.Explain().command() == reset);
  v1::ResetOffsetsRequest request;
  request.set_group("workers");
  request.mutable_to()->set_offset(100);
  request.set_reason("the log was cut");
  request.set_force(true);
  REQUIRE_OK(next.groups.ResetOffsets(next.caller, request));
  next.Run();
  CHECK(next.DataOf(next.Work()) == next.Numbers(0, 50));
}

TEST_CASE("a queue whose log was cut is reset to what it had not settled before", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 120, 10);
  Client& before = room.Work();
  REQUIRE(before.sink.leased.size() == 120);
  for (const RecordingSink::Leased& event : before.sink.leased) {
    if (event.offset < 90 || event.offset > 94) before.Ack(event);
  }
  room.Run();
  room.engine.LoseTail(room.Id(0), Offset(100));
  QueueRoom next(room.engine.Restart());
  next.PublishNumbers(0, 50, 10);
  CHECK(next.Explain().command() ==
        "acta group reset workers --topic orders --to 0:90 --reason \"...\"");
  const absl::Status refused = next.groups.Skip(next.caller, SkipFrom(100, 20)).status();
  CHECK(absl::StrContains(refused.message(), "reset the group to 0:90 instead"));
  v1::ResetOffsetsRequest request;
  request.set_group("workers");
  request.mutable_to()->set_offset(90);
  request.set_reason("the log was cut");
  REQUIRE_OK(next.groups.ResetOffsets(next.caller, request));
  next.Run();
  Strings again = next.Numbers(90, 100);
  for (const std::string& number : next.Numbers(0, 50)) again.push_back(number);
  CHECK(next.DataOf(next.Work()) == again);
}

TEST_CASE("what is skipped while it is read, and cannot be, costs its member no credit",
          "[queue]") {
  QueueRoom room;
  Client& client = room.ReadOneAnew();
  REQUIRE_OK(room.groups.Skip(room.caller, SkipFrom(5, 1)));
  room.engine.before_trim = nullptr;
  room.engine.TrimTo(room.Id(0), Offset(10));
  room.Run();
  CHECK(client.sink.gaps().empty());
  room.engine.SetCachedReads(true);
  room.PublishNumbers(0, 1);
  room.Run();
  CHECK(client.sink.leased.size() == 501);
}

}  // namespace
}  // namespace acta
