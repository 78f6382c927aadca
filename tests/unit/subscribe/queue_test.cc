// A QUEUE group over the streams of its members: who gets what, and settling.
#include <limits>
#include <set>

#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

TEST_CASE("each event is leased to one member", "[queue]") {
  QueueRoom room;
  Client& one = room.Work(3);
  Client& two = room.Work(3);
  room.PublishNumbers(0, 6);
  room.Run();
  CHECK(one.sink.leased.size() == 3);
  CHECK(two.sink.leased.size() == 3);
  std::set<std::string> all;
  for (const Client* client : {&one, &two}) {
    for (const std::string& data : room.DataOf(*client)) all.insert(data);
  }
  CHECK(all.size() == 6);
  CHECK(one.sink.leased[0].attempt == 1);
  CHECK(one.sink.leased[0].until_us == absl::ToUnixMicros(room.engine.Now() + absl::Seconds(30)));
}

TEST_CASE("a run of consecutive events goes to one member as one batch", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 100, 100);
  Client& client = room.Work();
  CHECK(room.DataOf(client) == room.Numbers(0, 100));
  size_t batches = 0;
  for (const OutgoingFrame& frame : client.sink.frames) batches += frame.batches.size();
  CHECK(batches == 1);
}

TEST_CASE("runs of consecutive events go to one member also when two share them", "[queue]") {
  QueueRoom room;
  const Client& one = room.Work(50);
  const Client& two = room.Work(50);
  room.PublishNumbers(0, 100, 100);
  room.Run();
  for (const Client* client : {&one, &two}) {
    REQUIRE(client->sink.leased.size() == 50);
    int runs = 1;
    for (size_t i = 1; i < 50; ++i) {
      runs += client->sink.leased[i].offset != client->sink.leased[i - 1].offset + 1;
    }
    CHECK(runs <= 2);
  }
}

TEST_CASE("members that wait share what comes by their free credit", "[queue]") {
  QueueRoom room;
  Client& one = room.Work(30);
  Client& two = room.Work(10);
  room.PublishNumbers(0, 20, 20);
  room.Run();
  // Who is being written to when its turn comes loses it.
  CHECK(one.sink.leased.size() >= 13);
  CHECK(two.sink.leased.size() >= 2);
  CHECK(one.sink.leased.size() + two.sink.leased.size() == 20);
}

TEST_CASE("a slow member delays nobody else", "[queue]") {
  QueueRoom room;
  Client& slow = room.Work(2);
  slow.reads = false;
  room.Publish(0, {"a"});
  room.Run();
  Client& other = room.Work();
  room.PublishNumbers(0, 10);
  room.Run();
  CHECK(other.sink.leased.size() >= 9);
}

TEST_CASE("an ack is answered when it is durable, and the event never comes again", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a", "b"});
  Client& client = room.Work();
  REQUIRE(client.sink.leased.size() == 2);
  room.engine.HoldDone();
  const uint64_t frame = client.Ack(client.sink.leased[0]);
  room.Run();
  CHECK(client.sink.acked_through() < frame);
  room.engine.ReleaseDone();
  room.Run();
  CHECK(client.sink.acked_through() == frame);
  CHECK(client.sink.errors().empty());
  const v1::PartitionLag lag = room.Lag("workers", 0);
  CHECK(lag.committed_offset() == 1);
  CHECK(lag.lag_events() == 1);
  CHECK(lag.queue().leased() == 1);
  CHECK(lag.exact());
  client.stream->OnDisconnect();
  room.Run();
  CHECK(room.DataOf(room.Work()) == Strings{"b"});
}

TEST_CASE("acks while the disk is full wait and are answered later", "[queue]") {
  QueueRoom room;
  room.Publish(0, {"a"});
  Client& client = room.Work();
  room.engine.FailNextSubmit(Error(v1::DISK_FULL, "full"));
  const uint64_t frame = client.Ack(client.sink.leased.at(0));
  room.Run();
  CHECK(client.sink.acked_through() < frame);
  room.Advance(absl::Seconds(1));
  CHECK(client.sink.acked_through() == frame);
  CHECK(client.sink.errors().empty());
  CHECK(room.Lag("workers", 0).lag_events() == 0);
}

TEST_CASE("credit is what bounds a member, in events and in bytes", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 10);
  Client& client = room.Work(4);
  CHECK(client.sink.leased.size() == 4);
  CHECK(room.Lag("workers", 0).queue().leased() == 4);
  client.Credit(1, 1);
  room.Run();
  CHECK(client.sink.leased.size() == 5);
}

TEST_CASE("what is not in memory is read from the disk", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 50, 10);
  room.engine.SetCachedReads(false);
  Client& client = room.Work(20);
  REQUIRE(client.sink.leased.size() == 20);
  // Behind its backoff it is nowhere in memory.
  client.Nack(client.sink.leased[5]);
  room.Run();
  client.Credit(1, 1000);
  room.Advance(absl::Seconds(2));
  REQUIRE(client.sink.leased.size() == 21);
  client.Credit(1, 1000);
  room.Run();
  CHECK(client.sink.leased.size() == 22);
}

TEST_CASE("an event that cannot be read costs no credit", "[queue]") {
  QueueRoom room(QueueRoom::Attempts(5), 2);
  room.Publish(0, {"a"});
  const auto bytes = static_cast<int64_t>(Element("a").size());
  v1::SubscribeStart start;
  start.set_group("workers");
  start.mutable_credit()->set_events(10);
  start.mutable_credit()->set_bytes(2 * bytes);
  Client& client = room.Subscribe(start);
  REQUIRE(client.sink.leased.size() == 1);
  client.Nack(client.sink.leased[0]);
  room.Run();
  {
    Client& other = room.Work(20);
    room.PublishNumbers(0, 20);  // So many batches are in memory.
    room.Run();
    for (const RecordingSink::Leased& event : other.sink.leased) other.Ack(event);
    room.Run();
    other.stream->OnDisconnect();
    room.Run();
  }
  REQUIRE(room.Lag("workers", 0).queue().retry_wait() == 1);
  REQUIRE(client.sink.leased.size() == 2);
  const std::string one_of_many = client.sink.leased[1].data;
  client.Ack(client.sink.leased[1]);
  client.Credit(2, 2 * bytes);
  room.Run();
  room.engine.before_trim = nullptr;  // No copy is kept.
  room.engine.TrimTo(room.Id(0), Offset(1));
  room.Advance(absl::Seconds(2));
  REQUIRE(client.sink.gaps().size() == 1);
  room.Publish(1, {"b"});
  room.Publish(1, {"c"});
  room.Run();
  CHECK(room.DataOf(client) == Strings{"a", one_of_many, "b", "c"});
  // Others of its partition wait until somebody decides, and the command that helps is named.
  room.Publish(0, {"d"});
  client.Credit(1, 2 * bytes);
  room.Run();
  REQUIRE(client.sink.leased.size() == 4);
  CHECK(room.Explain().command() ==
        "acta group skip workers --topic orders --partition 0 --offset 0 --count 1 "
        "--reason \"...\"");
  v1::SkipOffsetsRequest skip;
  skip.set_group("workers");
  skip.set_topic("orders");
  skip.set_reason("it is gone");
  CHECK(room.groups.Skip(room.caller, skip)->skipped() == 1);
  room.Run();
  CHECK(room.DataOf(client) == Strings{"a", one_of_many, "b", "c", "d"});
  CHECK(room.Explain().code() == v1::STANDSTILL_CODE_LEASE_HELD);
}

TEST_CASE("an offset that no log can have is refused", "[queue]") {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  QueueRoom room;
  room.PublishNumbers(0, 2);
  v1::SubscribeStart start;
  start.set_group("workers");
  start.mutable_credit()->set_events(1);
  start.mutable_credit()->set_bytes(1000);
  v1::HeldEvents* held = start.add_held();
  held->set_topic("orders");
  held->set_offset(kMost);
  held->set_count(65'536);
  Client& client = room.Subscribe(start);
  REQUIRE(client.sink.leased.size() == 1);
  RecordingSink::Leased beyond = client.sink.leased[0];
  beyond.offset = kMost;
  client.Settle(v1::SETTLE_KIND_ACK, beyond, 65'536);
  room.Run();
  CHECK(client.sink.ErrorOf(client.last_id) == v1::INVALID_ARGUMENT);
  client.Ack(client.sink.leased[0]);
  room.Run();
  CHECK(client.sink.ErrorOf(client.last_id) == v1::ERROR_REASON_UNSPECIFIED);
}

TEST_CASE("events of one key are in flight one at a time, those of others go on", "[queue]") {
  QueueRoom room(QueueRoom::Ordered());
  room.PublishKeyed({{"k", "1"}, {"k", "2"}, {"j", "3"}, {"", "4"}, {"k", "5"}});
  Client& one = room.Work();
  CHECK(room.DataOf(one) == Strings{"1", "3", "4"});
  Client& two = room.Work();
  CHECK(two.sink.leased.empty());
  one.Ack(one.sink.leased[0]);
  room.Run();
  CHECK(one.sink.leased.size() + two.sink.leased.size() == 4);
}

TEST_CASE("an expired event is not delivered, and frees its key", "[queue]") {
  QueueRoom room(QueueRoom::Ordered());
  const int64_t soon = absl::ToUnixMicros(room.engine.Now() + absl::Seconds(5));
  room.PublishElements(0, Element("1", "k") + Element("2", "k", soon) + Element("3", "k"), 3);
  Client& client = room.Work();
  REQUIRE(room.DataOf(client) == Strings{"1"});
  room.Advance(absl::Seconds(6));
  client.Ack(client.sink.leased[0]);
  room.Run();
  CHECK(room.DataOf(client) == Strings{"1", "3"});
}

TEST_CASE("STREAM groups read events that have expired", "[queue]") {
  QueueRoom room;
  const int64_t soon = absl::ToUnixMicros(room.engine.Now() + absl::Seconds(5));
  room.PublishElements(0, Element("1", "", soon) + Element("2"), 2);
  room.Advance(absl::Seconds(6));
  Client& stream = room.Subscribe(room.Member("readers"));
  Client& reader = room.Subscribe(room.Earliest());
  Client& worker = room.Work();
  CHECK(stream.sink.Data(0) == Strings{"1", "2"});
  CHECK(reader.sink.Data(0) == Strings{"1", "2"});
  CHECK(room.DataOf(worker) == Strings{"2"});
}

TEST_CASE("settling what cannot be settled is a typed error and harms nobody", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 5);
  Client& client = room.Work(3);
  Client& other = room.Work(1);
  const RecordingSink::Leased first = client.sink.leased.at(0);
  v1::Settlement settlement;
  settlement.set_assignment(first.assignment);
  settlement.set_offset(first.offset);
  settlement.set_kind(v1::SETTLE_KIND_ACK);
  const auto reason = [&] {
    const uint64_t frame = client.Settle(settlement);
    room.Run();
    CHECK(client.sink.acked_through() == frame);
    return client.sink.ErrorOf(frame);
  };
  SECTION("an assignment of nobody") {
    settlement.set_assignment(99);
    CHECK(reason() == v1::FENCED);
  }
  SECTION("what was not delivered") {
    settlement.set_offset(4);
    CHECK(reason() == v1::NEVER_LEASED);
  }
  SECTION("what another has") {
    settlement.set_offset(other.sink.leased.at(0).offset);
    CHECK(reason() == v1::LEASE_LOST);
  }
  SECTION("twice") {
    CHECK(reason() == v1::ERROR_REASON_UNSPECIFIED);
    CHECK(reason() == v1::ALREADY_SETTLED);
  }
  SECTION("a kind that is not known") {
    settlement.set_kind(static_cast<v1::SettleKind>(17));
    CHECK(reason() == v1::UNKNOWN_ENUM_VALUE);
    settlement.set_kind(v1::SETTLE_KIND_UNSPECIFIED);
    CHECK(reason() == v1::UNKNOWN_ENUM_VALUE);
  }
  SECTION("a reason that is no word") {
    settlement.set_kind(v1::SETTLE_KIND_NACK);
    settlement.set_reason("out of stock");
    CHECK(reason() == v1::INVALID_ARGUMENT);
    settlement.set_reason(std::string(65, 'a'));
    CHECK(reason() == v1::INVALID_ARGUMENT);
    settlement.set_reason(std::string(64, 'a'));
    CHECK(reason() == v1::ERROR_REASON_UNSPECIFIED);
  }
  SECTION("a text that is too long") {
    settlement.set_kind(v1::SETTLE_KIND_REJECT);
    settlement.set_text(std::string(1025, 'a'));
    CHECK(reason() == v1::LIMIT_EXCEEDED);
    settlement.set_text(std::string(1024, 'a'));
    CHECK(reason() == v1::ERROR_REASON_UNSPECIFIED);
  }
  SECTION("a delay out of bounds, or of an ack") {
    settlement.mutable_delay()->set_seconds(1);
    CHECK(reason() == v1::INVALID_ARGUMENT);
    settlement.set_kind(v1::SETTLE_KIND_NACK);
    settlement.mutable_delay()->set_seconds(-1);
    CHECK(reason() == v1::INVALID_ARGUMENT);
    settlement.mutable_delay()->set_seconds(30 * 86'400 + 1);
    CHECK(reason() == v1::INVALID_ARGUMENT);
    settlement.mutable_delay()->set_seconds(30 * 86'400);
    CHECK(reason() == v1::ERROR_REASON_UNSPECIFIED);
  }
  SECTION("an extension beyond 12 hours") {
    settlement.set_kind(v1::SETTLE_KIND_EXTEND);
    settlement.mutable_delay()->set_seconds(12 * 3600 + 1);
    CHECK(reason() == v1::LIMIT_EXCEEDED);
    settlement.mutable_delay()->set_seconds(12 * 3600);
    CHECK(reason() == v1::ERROR_REASON_UNSPECIFIED);
    room.Advance(absl::Seconds(10));
    CHECK(reason() == v1::LIMIT_EXCEEDED);
  }
  SECTION("negative numbers") {
    settlement.set_count(-1);
    CHECK(reason() == v1::INVALID_ARGUMENT);
    settlement.set_count(1);
    settlement.set_offset(-1);
    CHECK(reason() == v1::INVALID_ARGUMENT);
  }
  SECTION("more events than a frame may settle") {
    settlement.set_count(65537);
    CHECK(reason() == v1::LIMIT_EXCEEDED);
    settlement.set_count(65536);  // Those that are his count.
    CHECK(reason() != v1::LIMIT_EXCEEDED);
    CHECK(room.Lag("workers", 0).committed_offset() == 3);
  }
  SECTION("a run with one that is not his: the others count") {
    settlement.set_count(4);
    const uint64_t frame = client.Settle(settlement);
    room.Run();
    CHECK(client.sink.ErrorOf(frame) == v1::LEASE_LOST);
    CHECK(room.Lag("workers", 0).committed_offset() == 3);
  }
  CHECK_FALSE(other.sink.result.has_value());
  CHECK_FALSE(client.sink.result.has_value());
}

}  // namespace
}  // namespace acta
