// Which keys keep others waiting, and which events nobody got because they had expired, or as
// retention took them.
#include "storage/layout/rows.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

TEST_CASE("a group names the keys that keep others waiting, and why", "[queue]") {
  v1::QueueSettings settings = QueueRoom::Ordered();
  settings.set_max_attempts(2);
  QueueRoom room(settings);
  room.PublishKeyed({{"held", "1"},
                     {"fails", "2"},
                     {"busy", "3"},
                     {"fails", "4"},
                     {"held", "5"},
                     {"fails", "6"},
                     {"busy", "7"},
                     {"alone", "8"}});
  Client& client = room.Work();
  REQUIRE(room.DataOf(client) == Strings{"1", "2", "3", "8"});
  client.Nack(client.sink.leased[0]);
  room.Run();
  room.Wait(absl::Seconds(5));
  REQUIRE(room.DataOf(client) == Strings{"1", "2", "3", "8", "1"});
  client.Nack(client.sink.leased[4]);
  client.Nack(client.sink.leased[1]);
  client.Ack(client.sink.leased[3]);
  room.Run();
  const v1::PartitionExplanation why = room.Explain();
  REQUIRE(why.keys_size() == 3);
  CHECK(why.keys(0).key() == "fails");  // Most wait for it.
  CHECK(why.keys(0).code() == v1::STANDSTILL_CODE_RETRY_WAIT);
  CHECK(why.keys(0).offset() == 1);
  CHECK(why.keys(0).waiting_events() == 2);
  CHECK(why.keys(1).key() == "held");
  CHECK(why.keys(1).code() == v1::STANDSTILL_CODE_HELD);
  CHECK(why.keys(1).waiting_events() == 1);
  CHECK(why.keys(1).command() == "acta deadletter redrive workers orders/0/0");
  CHECK(why.keys(2).key() == "busy");
  CHECK(why.keys(2).code() == v1::STANDSTILL_CODE_LEASE_HELD);
  CHECK(why.keys(2).command() == "acta group describe workers");
}

TEST_CASE("events that expired are counted and listed, as are those skipped counted", "[queue]") {
  v1::QueueSettings settings;
  settings.mutable_backoff_initial()->set_seconds(60);
  QueueRoom room(settings);
  const int64_t soon = absl::ToUnixMicros(room.engine.Now() + absl::Seconds(5));
  room.PublishElements(
      0, Element("1") + Element("2", "", soon) + Element("3", "", soon) + Element("4"), 4);
  const int64_t later = absl::ToUnixMicros(room.engine.Now() + absl::Seconds(30));
  room.PublishElements(0, Element("5", "", later), 1);
  v1::ListExpiredRequest request;
  request.set_group("workers");
  CHECK(room.groups.ListExpired(room.caller, request)->expired().empty());
  room.Advance(absl::Seconds(6));
  Client& client = room.Work();
  REQUIRE(room.DataOf(client) == Strings{"1", "4", "5"});
  auto expired = room.groups.ListExpired(room.caller, request);
  REQUIRE_OK(expired);
  CHECK(expired->total() == 2);
  REQUIRE(expired->expired_size() == 1);
  CHECK(expired->expired(0).topic() == "orders");
  CHECK(expired->expired(0).offset() == 1);
  CHECK(expired->expired(0).count() == 2);
  client.Nack(client.sink.leased[2]);  // It is parked when its time is over.
  room.Run();
  room.Wait(absl::Minutes(2));
  expired = room.groups.ListExpired(room.caller, request);
  CHECK(expired->total() == 3);
  REQUIRE(expired->expired_size() == 2);
  CHECK(expired->expired(0).offset() == 4);
  v1::SkipOffsetsRequest skip;
  skip.set_group("workers");
  skip.set_topic("orders");
  skip.set_reason("nobody needs it");
  REQUIRE_OK(room.groups.Skip(room.caller, skip));
  const QueueTally tally = room.groups.Measure().front().queue->tally;
  CHECK(tally.expired == 3);
  CHECK(tally.skipped == 1);
}

// `1`, which expires after half a minute, keeps its key from `2`; `worker` gets that one then.
void CheckKeyIsFreed(QueueRoom& room, Client& worker) {
  const size_t before = worker.sink.leased.size();
  room.Wait(absl::Seconds(25));
  CHECK(worker.sink.leased.size() == before);
  room.Wait(absl::Seconds(10));
  REQUIRE(worker.sink.leased.size() == before + 1);
  CHECK(worker.sink.leased.back().data == "2");
  v1::ListExpiredRequest request;
  request.set_group("workers");
  CHECK(room.groups.ListExpired(room.caller, request)->total() == 1);
  worker.Ack(worker.sink.leased.back());
  room.Run();
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_CAUGHT_UP);
}

TEST_CASE("an event that expires while it waits for a retry, or is held, frees its key",
          "[queue]") {
  const bool held = GENERATE(false, true);
  const bool restart = GENERATE(false, true);
  v1::QueueSettings settings = QueueRoom::Ordered(v1::ON_EXHAUSTED_HOLD_KEY);
  settings.set_max_attempts(held ? 1 : 2);
  settings.mutable_backoff_initial()->set_seconds(600);
  QueueRoom room(settings);
  const int64_t soon = absl::ToUnixMicros(room.engine.Now() + absl::Seconds(30));
  room.PublishElements(0, Element("1", "k", soon) + Element("2", "k"), 2);
  Client& client = room.Work();
  client.Nack(client.sink.leased[0]);
  room.Run();
  const auto keys = room.Explain().keys();
  REQUIRE(keys.size() == 1);
  CHECK((keys[0].code() == v1::STANDSTILL_CODE_HELD) == held);
  if (!restart) return CheckKeyIsFreed(room, client);
  QueueRoom next(room.engine.Restart());
  CheckKeyIsFreed(next, next.Work());
}

TEST_CASE("nobody is leased what retention is taking, of which there would be no copy", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 10);
  Client* client = nullptr;
  room.engine.before_trim = [&](PartitionId partition, Offset first) {
    const absl::Status kept = room.groups.KeepCopies(partition, first);
    client = &room.Work();  // And would reject what it gets.
    CHECK(client->sink.leased.empty());
    v1::SkipOffsetsRequest skip;
    skip.set_group("workers");
    skip.set_topic("orders");
    skip.set_offset(2);
    skip.set_reason("nobody needs it");
    CHECK(ReasonOf(room.groups.Skip(room.caller, skip).status()) == v1::GAP);
    return kept;
  };
  SECTION("it goes") {
    room.engine.TrimTo(room.Id(0), Offset(4));
    room.Run();
    REQUIRE(client != nullptr);
    CHECK(room.Explain().code() == v1::STANDSTILL_CODE_GAP);
    CHECK(client->sink.leased.empty());
    room.Wait(absl::Seconds(5));
    REQUIRE(client->sink.gaps().size() == 1);
    CHECK(client->sink.gaps()[0].last_lost() == 3);
  }
  SECTION("it stays after all") {
    room.engine.TrimTo(room.Id(0), Offset(11));  // Which fails.
    room.Run();
    REQUIRE(client != nullptr);
    CHECK(room.DataOf(*client) == room.Numbers(0, 10));
  }
}

// While copies are made the group `late` comes, and its member is leased nothing.
void AddGroupInTrim(QueueRoom& room, Client** client) {
  room.engine.before_trim = [&room, client](PartitionId partition, Offset first) {
    const absl::Status kept = room.groups.KeepCopies(partition, first);
    room.MakeQueue("late");
    *client = &room.Work(100, "", "late");
    CHECK((*client)->sink.leased.empty());
    return kept;
  };
}

TEST_CASE("a group that comes while retention takes events is leased none of those", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 10);
  Client* client = nullptr;
  AddGroupInTrim(room, &client);
  const bool goes = GENERATE(true, false);
  room.engine.TrimTo(room.Id(0), Offset(goes ? 4 : 11));  // Which fails.
  room.Run();
  REQUIRE(client != nullptr);
  if (goes) {
    CHECK(room.Explain("late").code() == v1::STANDSTILL_CODE_GAP);
    CHECK(client->sink.leased.empty());
  } else {
    CHECK(room.DataOf(*client) == room.Numbers(0, 10));
  }
}

TEST_CASE("retention waits for a disk that does not give what is to be copied", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 10);
  Client& client = room.Work();
  REQUIRE(client.sink.leased.size() == 10);
  client.Nack(client.sink.leased[0]);
  room.Run();
  const auto trim = [&] {
    room.engine.FailNextRead(
        Error(v1::DATA_CORRUPTED, "cannot be read", {{kIoErrorDetail, "true"}}));
    room.engine.TrimTo(room.Id(0), Offset(4));
    return room.engine.Extent(room.Id(0))->first;
  };
  CHECK(trim() == Offset(0));
  const bool comes_back = GENERATE(true, false);
  if (comes_back) {
    room.engine.TrimTo(room.Id(0), Offset(4));
    CHECK(room.Rows(kKeptRows) > 0);
  } else {
    room.engine.Advance(absl::Minutes(6));
    CHECK(trim() == Offset(4));
  }
  CHECK(room.engine.Extent(room.Id(0))->first == Offset(4));
}

TEST_CASE("retention waits for each event that the disk does not give, and no longer", "[queue]") {
  const auto refused = Error(v1::DATA_CORRUPTED, "cannot be read", {{kIoErrorDetail, "true"}});
  QueueRoom room;
  room.PublishNumbers(0, 20, 10);
  Client& client = room.Work();
  REQUIRE(client.sink.leased.size() == 20);
  const auto trim = [&](int64_t first) {
    room.engine.TrimTo(room.Id(0), Offset(first));
    return room.engine.Extent(room.Id(0))->first;
  };
  SECTION("although it gives others") {
    room.engine.FailReadsAt(room.Id(0), Offset(10), refused);
    CHECK(trim(15) == Offset(0));
    CHECK(room.Rows(kKeptRows) == 10);
    room.engine.Advance(absl::Minutes(4));
    const int64_t before = room.engine.Stats().cold_reads;
    CHECK(trim(15) == Offset(0));
    CHECK(room.engine.Stats().cold_reads == before + 5);  // What has a copy is not read again.
    room.engine.Advance(absl::Minutes(2));
    CHECK(trim(15) == Offset(15));
  }
  SECTION("although another was settled that it did not give") {
    room.engine.FailReadsAt(room.Id(0), Offset(0), refused);
    CHECK(trim(4) == Offset(0));
    client.Settle(v1::SETTLE_KIND_ACK, client.sink.leased[0], 10);
    room.Run();
    CHECK(trim(4) == Offset(4));
    room.engine.Advance(absl::Minutes(6));
    room.engine.FailReadsAt(room.Id(0), Offset(10), refused);
    CHECK(trim(15) == Offset(4));
  }
}

TEST_CASE("a group goes on when a disk answers that did not for a moment", "[queue]") {
  const auto refused = Error(v1::DATA_CORRUPTED, "cannot be read", {{kIoErrorDetail, "true"}});
  QueueRoom room;
  SECTION("about an event that comes again") {
    Client& client = room.ReadOneAnew();
    room.engine.FailNextRead(refused);
    room.Run();
    CHECK(client.sink.leased.size() == 500);
    room.Wait(absl::Seconds(5));
    REQUIRE(client.sink.leased.size() == 501);
    CHECK(client.sink.leased.back().offset == room.kColdOffset);
    CHECK(client.sink.leased.back().attempt == 2);
    CHECK(client.sink.gaps().empty());
  }
  SECTION("about what comes for the first time") {
    room.PublishNumbers(0, 10);
    room.engine.SetCachedReads(false);
    room.engine.FailNextRead(refused);
    Client& client = room.Work();
    CHECK(client.sink.leased.empty());
    room.Wait(absl::Seconds(5));
    CHECK(room.DataOf(client) == room.Numbers(0, 10));
    CHECK(client.sink.gaps().empty());
  }
  SECTION("about the copy of an event that is gone from the log") {
    room.PublishNumbers(0, 10);
    Client& client = room.Work();
    REQUIRE(client.sink.leased.size() == 10);
    client.Nack(client.sink.leased[5]);
    client.Settle(v1::SETTLE_KIND_ACK, client.sink.leased[0], 5);
    client.Settle(v1::SETTLE_KIND_ACK, client.sink.leased[6], 4);
    room.Run();
    room.engine.TrimTo(room.Id(0), Offset(10));
    REQUIRE(room.Rows(kKeptRows) == 1);
    room.engine.FailNextRows(refused);
    room.Wait(absl::Seconds(2));
    CHECK(client.sink.leased.size() == 10);
    room.Wait(absl::Seconds(5));
    REQUIRE(client.sink.leased.size() == 11);
    CHECK(client.sink.leased.back().offset == 5);
    CHECK(client.sink.leased.back().attempt == 2);
    CHECK(client.sink.gaps().empty());
  }
}

TEST_CASE("of events that come again those are delivered that can be read", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 20, 10);
  room.engine.SetCachedReads(false);
  Client& client = room.Work();
  REQUIRE(client.sink.leased.size() == 20);
  v1::Settlement nack;  // Of both batches, leased as one run then.
  nack.set_assignment(client.sink.leased[5].assignment);
  nack.set_offset(5);
  nack.set_count(10);
  nack.set_kind(v1::SETTLE_KIND_NACK);
  nack.mutable_delay()->set_seconds(1);
  client.Settle(nack);
  client.Settle(v1::SETTLE_KIND_ACK, client.sink.leased[0], 5);
  client.Settle(v1::SETTLE_KIND_ACK, client.sink.leased[15], 5);
  room.Run();
  SECTION("before one that is damaged") {
    room.engine.CorruptBatch(room.Id(0), Offset(10));
    room.Wait(absl::Seconds(5));
    REQUIRE(client.sink.gaps().size() == 1);
    CHECK(client.sink.gaps()[0].first_lost() == 10);
    CHECK(client.sink.gaps()[0].last_lost() == 19);
  }
  SECTION("before one that the disk does not give for a moment") {
    room.engine.TrimTo(room.Id(0), Offset(10));  // Those before it are copies.
    room.engine.FailNextRead(
        Error(v1::DATA_CORRUPTED, "cannot be read", {{kIoErrorDetail, "true"}}));
    room.Wait(absl::Seconds(1));
    CHECK(client.sink.leased.size() == 25);
    room.Wait(absl::Seconds(2));
    REQUIRE(client.sink.leased.size() == 30);
    CHECK(client.sink.leased.back().offset == 14);
    CHECK(client.sink.gaps().empty());
  }
  REQUIRE(client.sink.leased.size() >= 25);
  for (size_t i = 20; i < client.sink.leased.size(); ++i) {
    CHECK(client.sink.leased[i].offset == static_cast<int64_t>(i) - 15);
    CHECK(client.sink.leased[i].attempt == 2);
  }
}

TEST_CASE("a group stands still at an event that the disk did not give for minutes", "[queue]") {
  QueueRoom room;
  Client& client = room.ReadOneAnew();
  const auto refuse = [&] {
    room.engine.FailNextRead(
        Error(v1::DATA_CORRUPTED, "cannot be read", {{kIoErrorDetail, "true"}}));
  };
  refuse();
  room.Run();
  for (int i = 0; i < 140; ++i) {  // More often than an event is delivered.
    refuse();
    room.Wait(absl::Seconds(2));
  }
  CHECK(client.sink.gaps().empty());
  CHECK(room.DeadLetters().dead_letters().empty());
  for (int i = 0; i < 20; ++i) {
    refuse();
    room.Wait(absl::Seconds(2));
  }
  REQUIRE(client.sink.gaps().size() == 1);
  CHECK(client.sink.gaps()[0].first_lost() == room.kColdOffset);
  CHECK(client.sink.leased.size() == 500);
  CHECK(room.DeadLetters().dead_letters().empty());
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_GAP);
  CHECK(room.Explain().command() ==
        "acta group skip workers --topic orders --partition 0 --offset 5 --count 1 "
        "--reason \"...\"");
}

// The disk refuses what is asked of it, every time.
void RefuseReads(QueueRoom& room, absl::Duration time) {
  for (; time > absl::ZeroDuration(); time -= absl::Seconds(2)) {
    room.engine.FailNextRead(
        Error(v1::DATA_CORRUPTED, "cannot be read", {{kIoErrorDetail, "true"}}));
    room.Wait(absl::Seconds(2));
  }
}

TEST_CASE("an event that the disk does not give is waited for as long as one before it was",
          "[queue]") {
  QueueRoom room;
  Client* client = nullptr;
  SECTION("which was skipped") {
    client = &room.ReadOneAnew();
    RefuseReads(room, absl::Minutes(4));
    v1::SkipOffsetsRequest skip;
    skip.set_group("workers");
    skip.set_topic("orders");
    skip.set_offset(QueueRoom::kColdOffset);
    skip.set_reason("nobody needs it");
    REQUIRE(room.groups.Skip(room.caller, skip)->skipped() == 1);
  }
  SECTION("which came from memory in the end") {
    client = &room.ReadOneAnew();
    RefuseReads(room, absl::Minutes(4));
    room.engine.SetCachedReads(true);
    room.Wait(absl::Seconds(2));
    REQUIRE(client->sink.leased.size() == 501);
    client->Ack(client->sink.leased.back());
    client->Credit(1, 100);
  }
  SECTION("which was looked at in memory in the end") {
    room.PublishNumbers(0, 10);
    room.engine.SetCachedReads(false);
    room.engine.FailNextRead(
        Error(v1::DATA_CORRUPTED, "cannot be read", {{kIoErrorDetail, "true"}}));
    client = &room.Work();
    RefuseReads(room, absl::Minutes(4));
    room.engine.SetCachedReads(true);
    room.Wait(absl::Seconds(2));
    REQUIRE(client->sink.leased.size() == 10);
    client->Settle(v1::SETTLE_KIND_ACK, client->sink.leased[0], 10);
  }
  room.engine.SetCachedReads(false);
  const size_t before = client->sink.leased.size();
  room.Publish(0, {"next"});
  RefuseReads(room, absl::Minutes(2));
  CHECK(client->sink.gaps().empty());
  room.Wait(absl::Seconds(5));
  REQUIRE(client->sink.leased.size() == before + 1);
  CHECK(client->sink.leased.back().data == "next");
}

// What is next in the pool is a read, which goes on.
void RunAllButTheRead(QueueRoom& room) {
  for (bool busy = true; busy;) {
    while (room.pool.pending() > 1) {
      room.pool.PutOff();
      for (size_t left = room.pool.pending() - 1; left > 0; --left) room.pool.RunOne();
    }
    busy = false;
    for (auto& client : room.clients) busy = client->Written() || busy;
  }
}

// It takes longer than the lease, and the backoff that follows.
void LetLeaseEnd(QueueRoom& room) {
  for (const int seconds : {31, 2}) {
    room.engine.Advance(absl::Seconds(seconds));
    room.timer.Advance(absl::Seconds(seconds));
    RunAllButTheRead(room);
  }
}

TEST_CASE("what somebody else processed meanwhile is not delivered when it was read", "[queue]") {
  QueueRoom room;
  Client& client = room.ReadOneAnew();
  v1::SubscribeStart start;
  start.set_group("workers");
  Client& other = room.Connect();
  other.Start(start);
  RunAllButTheRead(room);
  LetLeaseEnd(room);
  REQUIRE(other.sink.leased.size() == 1);
  REQUIRE(other.sink.leased[0].offset == QueueRoom::kColdOffset);
  other.Ack(other.sink.leased[0]);
  RunAllButTheRead(room);
  room.Run();
  CHECK(client.sink.leased.size() == 500);
  other.stream->OnHalfClose();
  room.Run();
  room.Publish(0, {"next"});  // What was not delivered cost no credit.
  room.Run();
  REQUIRE(client.sink.leased.size() == 501);
  CHECK(client.sink.leased.back().data == "next");
}

TEST_CASE("a read that fails when its lease is over leaves the next lease alone", "[queue]") {
  QueueRoom room;
  Client& client = room.ReadOneAnew();
  client.Credit(1, 100);
  RunAllButTheRead(room);
  LetLeaseEnd(room);
  REQUIRE(client.sink.leased.size() == 501);
  CHECK(client.sink.leased.back().attempt == 3);
  room.engine.FailNextRead(Error(v1::DATA_CORRUPTED, "cannot be read", {{kIoErrorDetail, "true"}}));
  room.Run();
  const uint64_t ack = client.Ack(client.sink.leased.back());
  room.Run();
  CHECK(client.sink.acked_through() == ack);
  CHECK(client.sink.ErrorOf(ack) == v1::ERROR_REASON_UNSPECIFIED);
  CHECK(room.Lag("workers", 0).lag_events() == 0);
}

TEST_CASE("a group goes on when retention is refused because of another one", "[queue]") {
  QueueRoom room;
  room.MakeQueue("zz");  // It is asked behind `workers`.
  room.PublishNumbers(0, 10);
  const auto other = room.groups.FindForStep(room.caller, "", "zz");
  REQUIRE_OK(other);
  REQUIRE((*other)->queue()->Detach(room.Id(0)).has_value());  // As while it is changed.
  room.engine.TrimTo(room.Id(0), Offset(4));
  REQUIRE(room.engine.Extent(room.Id(0))->first == Offset(0));
  CHECK(room.DataOf(room.Work()) == room.Numbers(0, 10));
}

TEST_CASE("a group that comes while retention is refused gets what stays", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 10);
  const auto workers = room.groups.FindForStep(room.caller, "", "workers");
  REQUIRE_OK(workers);
  REQUIRE((*workers)->queue()->Detach(room.Id(0)).has_value());  // As while it is changed.
  Client* client = nullptr;
  AddGroupInTrim(room, &client);
  room.engine.TrimTo(room.Id(0), Offset(4));
  REQUIRE(room.engine.Extent(room.Id(0))->first == Offset(0));
  room.Run();
  REQUIRE(client != nullptr);
  CHECK(room.DataOf(*client) == room.Numbers(0, 10));
}

}  // namespace
}  // namespace acta
