// What is told of sampled events, from batches as the indexer of journeys reads them.
#include "server/core/traces/trace_feed.h"

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "acta/v1/publisher.pb.h"
#include "server/core/queues/ledger.h"
#include "storage/layout/engine_rows.h"
#include "storage/submit_and_wait.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_log_engine.h"
#include "tests/support/status_matchers.h"
#include "tests/support/stepped_executor.h"

namespace acta {
namespace {

using storage::v1::AttemptRecord;
using storage::v1::LedgerEntry;
using storage::v1::LedgerRecord;
using Strings = std::vector<std::string>;

constexpr absl::string_view kTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0";

class ListSink final : public SpanSink {
 public:
  void Add(Span span) override { spans.push_back(std::move(span)); }
  std::vector<Span> spans;
};

struct FeedRoom {
  FeedRoom() {
    REQUIRE_OK(topics.Load());
    REQUIRE_OK(groups.Load());
    v1::CreateTopicRequest topic;
    topic.mutable_topic()->set_name("orders");
    topic.mutable_topic()->set_partitions(2);
    REQUIRE_OK(topics.Create(caller, topic));
    v1::CreateGroupRequest group;
    group.mutable_group()->set_name("workers");
    group.mutable_group()->set_mode(v1::GROUP_MODE_QUEUE);
    group.mutable_group()->add_topics("orders");
    REQUIRE_OK(groups.Create(caller, group));
    begin_us = absl::ToUnixMicros(engine.Now());
    feed.emplace(TraceFeed::Deps{engine, topics, groups, sink});
  }

  PartitionId partition() const { return topics.Find("default", "orders")->partition(0); }
  GroupId group() const { return *groups.GetId(caller, "default", "workers"); }

  void Read(PartitionId of, int64_t base, const std::vector<v1::Event>& events, int64_t after_us) {
    v1::PartitionBatch encoded;
    for (const v1::Event& event : events) *encoded.add_events() = event;
    StoredBatch batch;
    batch.partition = of;
    batch.base_offset = Offset(base);
    batch.count = static_cast<uint32_t>(events.size());
    batch.append_time_us = begin_us + after_us;
    batch.payload = SharedBytes(encoded.SerializeAsString());
    feed->OnBatch(batch);
  }
  void ReadEvents(int64_t base, const std::vector<v1::Event>& events, int64_t after_us = 10) {
    Read(partition(), base, events, after_us);
  }
  void ReadLedger(const LedgerRecord& record) {
    v1::Event element;
    element.set_data(record.SerializeAsString());
    Read(kLedgerPartition, ledger_end++, {element}, 0);
  }
  static v1::Event Sampled(const std::string& id) {
    v1::Event event;
    event.set_id(id);
    event.set_traceparent(absl::StrCat(kTrace, "1"));
    return event;
  }
  LedgerRecord Record(int64_t after_us) const {
    LedgerRecord record;
    record.set_group_id(group().value());
    record.set_partition_id(partition().value());
    record.set_time_us(begin_us + after_us);
    return record;
  }
  LedgerRecord Processed(int64_t offset, int64_t count, int64_t delivered, int64_t done) const {
    LedgerRecord record = Record(done);
    record.add_members()->set_member_id("m-1");
    PutProcessed({{Offset(offset), count, 1, begin_us + delivered}}, begin_us + done, &record);
    return record;
  }
  LedgerRecord Failed(int64_t offset, int64_t leased, int64_t ended) const {
    LedgerRecord record = Record(ended);
    LedgerEntry* const entry = record.add_entries();
    entry->set_kind(LedgerEntry::FAILED);
    entry->set_offset(offset);
    entry->set_attempt_number(1);
    entry->mutable_attempt()->set_end(AttemptRecord::NACK);
    entry->mutable_attempt()->set_leased_us(begin_us + leased);
    entry->mutable_attempt()->set_ended_us(begin_us + ended);
    return record;
  }
  // "name id start-end", as microseconds after the beginning, with an error if there is one.
  Strings Told() const {
    Strings told;
    for (const Span& span : sink.spans) {
      std::string id;
      for (const auto& [key, value] : span.attributes) {
        if (key == "messaging.message.id") id = std::get<std::string>(value);
      }
      told.push_back(absl::StrCat(span.name, " ", id, " ", span.start_us - begin_us, "-",
                                  span.end_us - begin_us, span.error.empty() ? "" : " ",
                                  span.error));
    }
    return told;
  }

  const Caller caller{"anonymous", "default", "", absl::InfiniteDuration()};
  MemoryLogEngine engine;
  FakeClock clock;
  AllowAll authorizer;
  SteppedExecutor pool;
  SteppedTimer timer{pool};
  TopicRegistry topics{engine, TopicLimits()};
  GroupRegistry groups{
      GroupRegistry::Deps{engine, clock, topics, authorizer, pool, timer, GroupLimits()}};
  ListSink sink;
  int64_t begin_us = 0;
  int64_t ledger_end = 0;
  std::optional<TraceFeed> feed;
};

TEST_CASE("only what its producer sampled is told", "[traces]") {
  FeedRoom room;
  v1::Event plain;
  plain.set_id("plain");
  v1::Event unsampled;
  unsampled.set_id("unsampled");
  unsampled.set_traceparent(absl::StrCat(kTrace, "0"));
  v1::Event bad;
  bad.set_id("bad");
  bad.set_traceparent("nonsense");
  room.ReadEvents(0, {plain, unsampled, bad, FeedRoom::Sampled("a")});
  CHECK(room.Told() == Strings{"publish orders a 10-10"});
  const Span& span = room.sink.spans[0];
  CHECK(span.trace_id.size() == 16);
  CHECK(span.parent == std::string("\x00\xf0\x67\xaa\x0b\xa9\x02\xb7", 8));
  CHECK(span.role == SpanRole::kProducer);
}

TEST_CASE("an event that was processed was delivered and settled, under its publish", "[traces]") {
  FeedRoom room;
  room.ReadEvents(0, {FeedRoom::Sampled("a"), FeedRoom::Sampled("b"), FeedRoom::Sampled("c")});
  room.ReadLedger(room.Processed(1, 1, 50, 70));
  REQUIRE(room.Told() == Strings{"publish orders a 10-10", "publish orders b 10-10",
                                 "publish orders c 10-10", "deliver orders b 10-50",
                                 "settle orders b 50-70"});
  for (const size_t i : {size_t{3}, size_t{4}}) {
    CHECK(room.sink.spans[i].parent == room.sink.spans[1].id);
    CHECK(room.sink.spans[i].trace_id == room.sink.spans[1].trace_id);
  }
}

TEST_CASE("a failed attempt is an error, and what waits after it a retry", "[traces]") {
  FeedRoom room;
  room.ReadEvents(0, {FeedRoom::Sampled("a")});
  room.ReadLedger(room.Failed(0, 20, 30));
  LedgerRecord rejected = room.Failed(0, 40, 50);
  rejected.mutable_entries(0)->mutable_attempt()->set_reason("NO_STOCK");
  LedgerEntry* const dead = rejected.add_entries();
  dead->set_kind(LedgerEntry::DEAD_LETTERED);
  dead->set_offset(0);
  room.ReadLedger(rejected);
  CHECK(room.Told() == Strings{"publish orders a 10-10", "deliver orders a 10-20",
                               "settle orders a 20-30 NACK", "retry orders a 30-40",
                               "settle orders a 40-50 NO_STOCK",
                               "dead letter orders a 50-50 DEAD_LETTERED"});
}

TEST_CASE("spans of sending and processing have the kind and type of the conventions", "[traces]") {
  FeedRoom room;
  room.ReadEvents(0, {FeedRoom::Sampled("a")});
  room.ReadLedger(room.Failed(0, 20, 30));
  room.ReadLedger(room.Processed(0, 1, 40, 50));
  Strings told;
  for (const Span& span : room.sink.spans) {
    std::string type = "-";
    for (const auto& [key, value] : span.attributes) {
      if (key == "messaging.operation.type") type = std::get<std::string>(value);
    }
    told.push_back(absl::StrCat(span.name, " ", static_cast<int>(span.role), " ", type));
  }
  CHECK(told == Strings{"publish orders 1 send", "deliver orders 0 -", "settle orders 2 process",
                        "retry orders 0 -", "settle orders 2 process"});
}

// An event is in the partition, whatever it is.
void PutSomething(FeedRoom& room) {
  Transaction transaction;
  Append append;
  append.partition = room.partition();
  append.payload = SharedBytes(std::string("\x7a\x00", 2));
  append.count = 1;
  transaction.appends.push_back(std::move(append));
  REQUIRE_OK(SubmitAndWait(room.engine, std::move(transaction)).status);
}

TEST_CASE("the ledger may be read before the events it speaks of", "[traces]") {
  FeedRoom room;
  PutSomething(room);
  room.ReadLedger(room.Processed(0, 2, 50, 70));
  CHECK(room.Told().empty());
  room.ReadEvents(0, {FeedRoom::Sampled("a")});
  CHECK(room.Told() == Strings{"publish orders a 10-10"});
  room.ReadEvents(1, {FeedRoom::Sampled("b")});
  CHECK(room.Told().size() == 6);
}

TEST_CASE("records about events that the indexer passed over are told without them", "[traces]") {
  FeedRoom room;
  PutSomething(room);
  room.ReadEvents(0, {FeedRoom::Sampled("a")});
  room.sink.spans.clear();
  room.ReadLedger(room.Failed(1, 20, 30));  // Of a batch that is damaged.
  room.ReadLedger(room.Processed(0, 1, 50, 70));
  CHECK(room.Told().empty());
  room.feed->OnPassed(room.partition(), Offset(1));  // Another one before it.
  CHECK(room.Told().empty());
  room.feed->OnPassed(room.partition(), Offset(2));
  CHECK(room.Told() == Strings{"deliver orders a 10-50", "settle orders a 50-70"});
}

TEST_CASE("what a former life stored keeps no record waiting, also behind damage", "[traces]") {
  FeedRoom room;
  const PartitionId other = room.topics.Find("default", "orders")->partition(1);
  room.Read(other, 0, {FeedRoom::Sampled("a")}, 10);
  room.feed->OnPassed(room.partition(), Offset(1));
  room.ReadEvents(1, {FeedRoom::Sampled("old")}, -1);
  room.ReadLedger(room.Failed(1, 20, 30));
  LedgerRecord processed = room.Processed(0, 1, 50, 70);
  processed.set_partition_id(other.value());
  room.ReadLedger(processed);
  CHECK(room.Told() ==
        Strings{"publish orders a 10-10", "deliver orders a 10-50", "settle orders a 50-70"});
}

TEST_CASE("what a former life told is not told again, and the same has the same id", "[traces]") {
  FeedRoom room;
  room.ReadEvents(0, {FeedRoom::Sampled("a")}, -1);
  CHECK(room.Told().empty());
  room.ReadEvents(1, {FeedRoom::Sampled("b")});
  const std::string id = room.sink.spans[0].id;
  room.feed.emplace(TraceFeed::Deps{room.engine, room.topics, room.groups, room.sink});
  room.ReadEvents(1, {FeedRoom::Sampled("b")});
  CHECK(room.sink.spans[1].id == id);
}

TEST_CASE("nothing is remembered of a topic that is deleted", "[traces]") {
  FeedRoom room;
  const PartitionId partition = room.partition();
  const LedgerRecord processed = room.Processed(0, 2, 50, 70);
  room.ReadEvents(0, {FeedRoom::Sampled("a")});
  v1::DeleteTopicRequest request;
  request.set_name("orders");
  request.set_force(true);
  REQUIRE_OK(room.topics.Delete(room.caller, request));
  room.sink.spans.clear();
  room.ReadLedger(processed);
  room.Read(partition, 1, {FeedRoom::Sampled("b")}, 10);  // Was read before.
  room.ReadLedger(processed);
  CHECK(room.Told().empty());
  // What took its place is told as ever.
  v1::CreateTopicRequest again;
  again.mutable_topic()->set_name("orders");
  again.mutable_topic()->set_partitions(2);
  REQUIRE_OK(room.topics.Create(room.caller, again));
  room.ReadEvents(0, {FeedRoom::Sampled("c")});
  room.ReadLedger(room.Processed(0, 1, 50, 70));
  CHECK(room.Told() ==
        Strings{"publish orders c 10-10", "deliver orders c 10-50", "settle orders c 50-70"});
}

TEST_CASE("a hundred thousand sampled events are remembered, and no more", "[traces]") {
  FeedRoom room;
  for (int64_t i = 0; i <= 100; ++i) {
    room.ReadEvents(i * 1000, std::vector<v1::Event>(1000, FeedRoom::Sampled("a")));
  }
  room.sink.spans.clear();
  room.ReadLedger(room.Processed(999, 1, 20, 30));
  CHECK(room.Told().empty());
  room.ReadLedger(room.Processed(1000, 1, 20, 30));
  CHECK(room.Told().size() == 2);
}

TEST_CASE("ten thousand records wait for their events, and no more than 16 MiB", "[traces]") {
  FeedRoom room;
  PutSomething(room);
  room.ReadEvents(0, {FeedRoom::Sampled("a")});
  room.sink.spans.clear();
  LedgerRecord early = room.Failed(5, 20, 30);
  int64_t most = 10'000;
  SECTION("in number") {}
  SECTION("in bytes") {
    early.mutable_entries(0)->mutable_attempt()->set_text(std::string(1 << 20, 'x'));
    most = 15;
  }
  room.ReadLedger(early);
  room.ReadLedger(room.Processed(0, 1, 50, 70));  // Behind it.
  for (int64_t i = 2; i < most; ++i) room.ReadLedger(early);
  CHECK(room.Told().empty());
  for (int i = 0; i < 3; ++i) room.ReadLedger(early);
  CHECK(room.Told().size() == 2);
}

TEST_CASE("of a long id its beginning is told, in whole characters", "[traces]") {
  FeedRoom room;
  room.ReadEvents(0, {FeedRoom::Sampled(std::string(256, 'x')),
                      FeedRoom::Sampled(std::string(255, 'x') + "\u00e9" + "y")});
  CHECK(room.Told() == Strings{"publish orders " + std::string(256, 'x') + " 10-10",
                               "publish orders " + std::string(255, 'x') + "... 10-10"});
}

}  // namespace
}  // namespace acta
