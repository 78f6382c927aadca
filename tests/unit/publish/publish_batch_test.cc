#include <map>
#include <set>
#include <string>

#include "acta/v1/context.pb.h"
#include "proto/support/partitioner.h"
#include "proto/support/wire.h"
#include "storage/base/crc32c.h"
#include "tests/unit/publish/publish_fixture.h"

namespace acta {
namespace {

v1::PartitionBatch EventsOf(const Append& append) {
  v1::PartitionBatch batch;
  REQUIRE(batch.ParseFromString(std::string(append.payload.view())));
  return batch;
}

TEST_CASE("a batch that names its partition is appended as the bytes that came") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 3);
  AddEvent(&frame)->set_data(std::string(100, '1'));
  AddEvent(&frame)->set_data("two");
  frame.mutable_batches(0)->set_producer_id(9);
  frame.mutable_batches(0)->set_producer_epoch(2);
  frame.mutable_batches(0)->set_first_sequence(5);
  frame.mutable_batches(0)->mutable_expect()->set_end_offset(40);
  auto session = f.MakeSession(false);
  const SharedBytes bytes(frame.SerializeAsString());
  bool answered = false;
  REQUIRE_OK(PublishWhole(*session, bytes, [&](v1::FrameResult) { answered = true; }));
  REQUIRE(f.engine.pending.size() == 1);
  const Transaction& transaction = f.engine.pending[0].transaction;
  REQUIRE(transaction.appends.size() == 1);
  const Append& append = transaction.appends[0];
  CHECK(append.partition.partition() == 3);
  CHECK(append.count == 2);
  CHECK(append.producer_id == 9);
  CHECK(append.producer_epoch == 2);
  CHECK(append.first_sequence == 5);
  CHECK(append.expected_end == Offset(40));
  CHECK(append.ids.empty());
  CHECK(append.payload_crc32c == Crc32c(append.payload.view()));
  CHECK(append.payload.view().data() > bytes.view().data());
  CHECK(append.payload.view().data() < bytes.view().data() + bytes.size());
  CHECK(EventsOf(append).events(1).data() == "two");
  CHECK_FALSE(answered);
  session.reset();
  f.engine.pending[0].AnswerStored();
  CHECK(answered);
}

TEST_CASE("the answer names level, incarnation, offsets and time") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders", 1);
  AddEvent(&frame);
  AddEvent(&frame);
  frame.set_frame_id(17);
  const v1::FrameResult result = f.Publish(frame);
  CHECK(result.frame_id() == 17);
  CHECK(result.level() == v1::ACK_LEVEL_FSYNC);
  CHECK(result.incarnation() == 7);
  REQUIRE(result.batches_size() == 1);
  REQUIRE(result.batches(0).parts_size() == 1);
  const v1::PublishedPart& part = result.batches(0).parts(0);
  CHECK(part.partition() == 1);
  CHECK(part.base_offset() == 100);
  CHECK(part.count() == 2);
  CHECK(part.event_indexes().empty());
  CHECK(result.batches(0).append_time_us() == 1000);
}

TEST_CASE("a batch without a partition is split by key, then by id") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders");
  for (int i = 0; i < 50; ++i) AddEvent(&frame, absl::StrCat("key-", i), absl::StrCat("id-", i));
  for (int i = 50; i < 100; ++i) AddEvent(&frame, "", absl::StrCat("id-", i));
  const v1::FrameResult result = f.Publish(frame);
  REQUIRE(f.sent.size() == 1);
  REQUIRE(f.sent[0].appends.size() == 4);
  REQUIRE(result.batches(0).parts_size() == 4);
  std::set<int32_t> seen;
  for (int p = 0; p < 4; ++p) {
    const Append& append = f.sent[0].appends[static_cast<size_t>(p)];
    const v1::PublishedPart& part = result.batches(0).parts(p);
    const v1::PartitionBatch events = EventsOf(append);
    REQUIRE(events.events_size() == static_cast<int>(append.count));
    REQUIRE(part.event_indexes_size() == static_cast<int>(append.count));
    REQUIRE(append.ids.size() == append.count);
    CHECK(part.partition() == append.partition.partition());
    CHECK(append.payload_crc32c == Crc32c(append.payload.view()));
    for (int k = 0; k < events.events_size(); ++k) {
      const v1::Event& event = events.events(k);
      const std::string& by = event.key().empty() ? event.id() : event.key();
      CHECK(PartitionOfKey(by, 4) == part.partition());
      CHECK(event.id() == absl::StrCat("id-", part.event_indexes(k)));
      CHECK(append.ids[static_cast<size_t>(k)].index == static_cast<uint32_t>(k));
      // The engine numbers hashes in the order asked, which is the batch's.
      CHECK(append.ids[static_cast<size_t>(k)].id.low ==
            static_cast<uint64_t>(part.event_indexes(k)) + 1);
      seen.insert(part.event_indexes(k));
    }
    CHECK(std::is_sorted(part.event_indexes().begin(), part.event_indexes().end()));
  }
  CHECK(seen.size() == 100);
}

TEST_CASE("a batch without a partition that falls into one is not gathered") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("orders");
  AddEvent(&frame, "k");
  AddEvent(&frame, "k");
  const v1::FrameResult result = f.Publish(frame);
  REQUIRE(f.sent[0].appends.size() == 1);
  CHECK(result.batches(0).parts(0).partition() == PartitionOfKey("k", 4));
  CHECK(result.batches(0).parts(0).event_indexes().empty());
}

TEST_CASE("events without key and id stay together in a frame and go round from frame to frame") {
  PublishFixture f;
  auto session = f.OpenSession();
  std::set<int32_t> partitions;
  for (uint64_t id = 1; id <= 4; ++id) {
    v1::PublishFrame frame = OneBatch("orders");
    frame.set_frame_id(id);
    AddEvent(&frame);
    AddEvent(&frame);
    v1::PartitionBatch* second = frame.add_batches();
    second->add_events();
    REQUIRE_OK(f.Send(*session, frame));
    const Transaction& transaction = f.engine.pending.back().transaction;
    REQUIRE(transaction.appends.size() == 2);
    CHECK(transaction.appends[0].partition == transaction.appends[1].partition);
    partitions.insert(transaction.appends[0].partition.partition());
  }
  CHECK(partitions.size() == 4);
}

TEST_CASE("unary callers without keys do not all use one partition") {
  PublishFixture f;
  std::set<int32_t> partitions;
  for (int i = 0; i < 8; ++i) {
    v1::PublishFrame frame = OneBatch("orders");
    AddEvent(&frame);
    partitions.insert(f.Publish(frame).batches(0).parts(0).partition());
  }
  CHECK(partitions.size() == 4);
}

TEST_CASE("ids are hashed only where the topic dedupes by id") {
  PublishFixture f;
  v1::PublishFrame frame = OneBatch("fast", PartitionOfKey("k", 2));
  AddEvent(&frame, "k", "1");
  f.Publish(frame);
  CHECK(f.engine.hashed.empty());
  CHECK(f.sent.back().appends[0].ids.empty());

  frame = OneBatch("orders", 0);
  AddEvent(&frame);
  AddEvent(&frame, "", "7")->set_source("/shop");
  f.Publish(frame);
  CHECK(f.engine.hashed == std::vector<std::string>{"/shop|7"});
  REQUIRE(f.sent.back().appends[0].ids.size() == 1);
  CHECK(f.sent.back().appends[0].ids[0].index == 1);
}

TEST_CASE("the engine is told whether ids were looked for, which it does when that changes") {
  PublishFixture f;
  const auto unknown = [&f](const std::string& topic, std::optional<int32_t> partition) {
    v1::PublishFrame frame = OneBatch(topic, partition);
    for (int i = 0; i < 100; ++i) AddEvent(&frame, "", absl::StrCat("id-", i));
    f.Publish(frame);
    std::set<bool> told;
    for (const Append& append : f.sent.back().appends) told.insert(append.ids_unknown);
    REQUIRE((f.sent.back().appends.size() == 1) == partition.has_value());
    return told;
  };
  CHECK(unknown("fast", 0) == std::set<bool>{true});
  CHECK(unknown("fast", std::nullopt) == std::set<bool>{true});
  CHECK(unknown("explicit", 0) == std::set<bool>{true});
  CHECK(unknown("orders", 0) == std::set<bool>{false});
  CHECK(unknown("orders", std::nullopt) == std::set<bool>{false});
}

TEST_CASE("a named partition must fit every key, except on EXPLICIT topics") {
  PublishFixture f;
  const int32_t fits = PartitionOfKey("k", 4);
  v1::PublishFrame frame = OneBatch("orders", fits);
  AddEvent(&frame);
  AddEvent(&frame, "k");
  CHECK(PublishFixture::BatchReason(f.Publish(frame)) == v1::ERROR_REASON_UNSPECIFIED);

  frame.mutable_batches(0)->set_partition((fits + 1) % 4);
  const v1::FrameResult result = f.Publish(frame);
  CHECK(PublishFixture::BatchReason(result) == v1::PARTITION_KEY_MISMATCH);
  const auto& details = result.batches(0).error().details();
  CHECK(details.at("event_index") == "1");
  CHECK(details.at("expected_partition") == absl::StrCat(fits));

  for (const int32_t partition : {0, 1}) {
    frame = OneBatch("explicit", partition);
    AddEvent(&frame, "k");
    CHECK(PublishFixture::BatchReason(f.Publish(frame)) == v1::ERROR_REASON_UNSPECIFIED);
  }
}

TEST_CASE("a level comes from the frame, else the stream, else the highest of the topics") {
  PublishFixture f;
  const auto level = [&f](v1::AckLevel of_frame, std::initializer_list<const char*> topics) {
    v1::PublishFrame frame;
    frame.set_level(of_frame);
    for (const char* topic : topics) {
      v1::PartitionBatch* batch = frame.add_batches();
      batch->set_topic(topic);
      batch->add_events();
    }
    f.Publish(frame);
    return f.sent.back().level;
  };
  CHECK(level(v1::ACK_LEVEL_UNSPECIFIED, {"orders"}) == Level::kFsync);
  CHECK(level(v1::ACK_LEVEL_UNSPECIFIED, {"fast"}) == Level::kOs);
  CHECK(level(v1::ACK_LEVEL_UNSPECIFIED, {"fast", "orders"}) == Level::kFsync);
  CHECK(level(v1::ACK_LEVEL_UNSPECIFIED, {"fast", "missing"}) == Level::kOs);
  CHECK(level(v1::ACK_LEVEL_OS, {"orders"}) == Level::kOs);
  CHECK(level(v1::ACK_LEVEL_FSYNC, {"fast"}) == Level::kFsync);
}

TEST_CASE("the answer names the level reached, not the one asked for") {
  PublishFixture f;
  auto session = f.MakeSession(false);
  v1::PublishFrame frame = OneBatch("orders", 0);
  AddEvent(&frame);
  REQUIRE_OK(f.Send(*session, frame));
  TransactionResult stored;
  stored.level = Level::kOs;
  stored.incarnation = Incarnation(9);
  stored.appends.resize(1);
  stored.appends[0].count = 1;
  f.engine.pending[0].Answer(std::move(stored));
  CHECK(f.answers[0].level() == v1::ACK_LEVEL_OS);
  CHECK(f.answers[0].incarnation() == 9);
}

TEST_CASE("what the broker knows of the producer travels beside the events") {
  PublishFixture f;
  auto session = f.MakeSession(true);
  v1::PublishFrame frame = OneBatch("orders", 0);
  frame.mutable_open()->set_app("shop");
  frame.mutable_open()->set_app_version("1.2");
  frame.mutable_open()->set_instance("i-1");
  AddEvent(&frame);
  REQUIRE_OK(f.Send(*session, frame));
  v1::BatchContext context;
  REQUIRE(context.ParseFromString(
      std::string(f.engine.pending[0].transaction.appends[0].context.view())));
  CHECK(context.principal() == "alice");
  CHECK(context.app() == "shop");
  CHECK(context.app_version() == "1.2");
  CHECK(context.instance() == "i-1");
}

TEST_CASE("events with unknown fields are stored as they came") {
  PublishFixture f;
  const std::string event("\x9a\x06\x02\xff\xfe", 5);
  std::string batch("\x0a\x06orders\x18\x01\x7a\x05", 12);
  batch += event;
  const std::string bytes = std::string("\x22", 1) + static_cast<char>(batch.size()) + batch;
  auto session = f.MakeSession(false);
  REQUIRE_OK(f.SendBytes(*session, bytes));
  REQUIRE(f.engine.pending.size() == 1);
  CHECK(f.engine.pending[0].transaction.appends[0].payload.view() ==
        std::string("\x7a\x05", 2) + event);
}

TEST_CASE("events that lay apart in the frame are stored together") {
  PublishFixture f;
  std::string batch("\x7a\x00\x0a\x06orders\x7a\x02\x2a\x00\x18\x01", 16);
  const std::string bytes = std::string("\x22", 1) + static_cast<char>(batch.size()) + batch;
  auto session = f.MakeSession(false);
  REQUIRE_OK(f.SendBytes(*session, bytes));
  REQUIRE(f.engine.pending.size() == 1);
  const Append& append = f.engine.pending[0].transaction.appends[0];
  CHECK(append.count == 2);
  CHECK(append.payload.view() == absl::string_view("\x7a\x00\x7a\x02\x2a\x00", 6));
}

}  // namespace
}  // namespace acta
