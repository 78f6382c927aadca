#include <string>

#include "tests/unit/publish/publish_fixture.h"

namespace acta {
namespace {

v1::PublishFrame Numbered(uint64_t frame_id, const std::string& topic = "") {
  v1::PublishFrame frame = OneBatch(topic, 0);
  frame.set_frame_id(frame_id);
  AddEvent(&frame);
  return frame;
}

TEST_CASE("a first frame that does not open the stream ends it") {
  PublishFixture f;
  auto session = f.MakeSession(true);
  CHECK(ReasonOf(f.Send(*session, Numbered(1, "orders"))) == v1::STREAM_NOT_OPENED);
  CHECK(f.answers.empty());
  CHECK(f.engine.pending.empty());
}

TEST_CASE("a frame that only opens is answered empty") {
  PublishFixture f;
  auto session = f.MakeSession(true);
  v1::PublishFrame frame;
  frame.set_frame_id(5);
  frame.mutable_open()->set_topic("orders");
  frame.mutable_open()->add_wanted_features("teleport");
  REQUIRE_OK(f.Send(*session, frame));
  REQUIRE(f.answers.size() == 1);
  CHECK(f.answers[0].frame_id() == 5);
  CHECK(f.answers[0].incarnation() == 7);
  CHECK_FALSE(f.answers[0].has_error());
  CHECK(f.answers[0].batches_size() == 0);
  CHECK(session->granted_features().empty());
}

TEST_CASE("a stream that is opened for a topic with too long a name is not open") {
  PublishFixture f;
  auto session = f.MakeSession(true);
  v1::PublishFrame frame;
  frame.set_frame_id(1);
  frame.mutable_open()->set_topic(std::string(250, 'x'));
  REQUIRE_OK(f.Send(*session, frame));
  REQUIRE(f.answers.size() == 1);
  CHECK(f.answers[0].error().reason() == v1::INVALID_NAME);
  CHECK(f.answers[0].error().details().at("field") == "topic");
  frame.set_frame_id(2);
  frame.mutable_open()->set_topic(std::string(249, 'x'));
  REQUIRE_OK(f.Send(*session, frame));
  REQUIRE(f.answers.size() == 2);
  CHECK_FALSE(f.answers[1].has_error());
}

TEST_CASE("the opening frame may carry batches, which use its topic and level") {
  PublishFixture f;
  auto session = f.MakeSession(true);
  v1::PublishFrame frame = Numbered(1);
  frame.mutable_open()->set_topic("orders");
  frame.mutable_open()->set_level(v1::ACK_LEVEL_OS);
  REQUIRE_OK(f.Send(*session, frame));
  REQUIRE_OK(f.Send(*session, Numbered(2)));
  v1::PublishFrame other = Numbered(3, "fast");
  other.set_level(v1::ACK_LEVEL_FSYNC);
  REQUIRE_OK(f.Send(*session, other));
  REQUIRE(f.engine.pending.size() == 3);
  CHECK(f.engine.pending[0].transaction.level == Level::kOs);
  CHECK(f.engine.pending[1].transaction.level == Level::kOs);
  CHECK(f.engine.pending[2].transaction.level == Level::kFsync);
  CHECK(f.engine.pending[0].transaction.appends[0].partition ==
        f.engine.pending[1].transaction.appends[0].partition);
}

// What a stream is told with the answer to a frame, "topic partitions" each.
std::vector<std::string> Told(PublishFixture& f, PublishSession& session,
                              const v1::PublishFrame& frame) {
  REQUIRE_OK(f.Send(session, frame));
  for (auto& one : std::exchange(f.engine.pending, {})) one.AnswerStored(100);
  std::vector<std::string> told;
  for (const v1::TopicPartitions& topic : f.answers.back().topics()) {
    told.push_back(topic.topic() + " " + std::to_string(topic.partitions()));
  }
  return told;
}

TEST_CASE("a stream is told how many partitions a topic has, and when it grows") {
  using Strings = std::vector<std::string>;
  PublishFixture f;
  auto session = f.OpenSession("orders");
  uint64_t id = 0;
  const auto told = [&](const std::string& topic) {
    return Told(f, *session, Numbered(++id, topic));
  };
  CHECK(told("") == Strings{"orders 4"});
  CHECK(told("") == Strings{});
  CHECK(told("fast") == Strings{"fast 2"});
  v1::PublishFrame both = Numbered(++id, "explicit");
  *both.add_batches() = both.batches(0);
  both.mutable_batches(1)->set_topic("fast");
  *both.add_batches() = both.batches(0);
  CHECK(Told(f, *session, both) == Strings{"explicit 2"});
  v1::UpdateTopicRequest grow;
  grow.mutable_topic()->set_name("fast");
  grow.mutable_topic()->set_partitions(6);
  grow.mutable_update_mask()->add_paths("partitions");
  grow.set_accept_reorder(true);
  REQUIRE_OK(f.topics.Update(Caller(), grow));
  CHECK(told("") == Strings{});
  CHECK(told("fast") == Strings{"fast 6"});
  CHECK(told("fast") == Strings{});
  // Another stream knows nothing yet; one of a refused frame is told, too.
  f.answers.clear();
  session = f.OpenSession("fast");
  id = 0;
  f.engine.refuse = Error(v1::PUBLISH_QUEUE_FULL, "full");
  CHECK(told("") == Strings{"fast 6"});
}

TEST_CASE("the level of a topic counts as it is just now, also for a stream that is open") {
  PublishFixture f;
  auto session = f.OpenSession("orders");
  const auto level = [&](uint64_t frame_id) {
    REQUIRE_OK(f.Send(*session, Numbered(frame_id)));
    auto pending = std::exchange(f.engine.pending, {});
    REQUIRE(pending.size() == 1);
    const Level used = pending[0].transaction.level;
    pending[0].AnswerStored(100);
    return used;
  };
  CHECK(level(1) == Level::kFsync);
  v1::UpdateTopicRequest change;
  change.mutable_topic()->set_name("orders");
  change.mutable_topic()->set_ack_level(v1::ACK_LEVEL_OS);
  change.mutable_update_mask()->add_paths("ack_level");
  REQUIRE_OK(f.topics.Update(Caller(), change));
  CHECK(level(2) == Level::kOs);
}

TEST_CASE("a second open is answered with an error and changes nothing") {
  PublishFixture f;
  auto session = f.OpenSession("orders");
  v1::PublishFrame again = Numbered(1);
  again.mutable_open()->set_topic("fast");
  REQUIRE_OK(f.Send(*session, again));
  REQUIRE(f.answers.size() == 1);
  CHECK(f.answers[0].error().reason() == v1::WRONG_STREAM_STATE);
  CHECK(f.engine.pending.empty());
  REQUIRE_OK(f.Send(*session, Numbered(2)));
  CHECK(f.engine.pending.size() == 1);
}

TEST_CASE("frame ids rise strictly, a frame that does not fails alone") {
  PublishFixture f;
  auto session = f.OpenSession();
  REQUIRE_OK(f.Send(*session, Numbered(10)));
  for (const uint64_t id : {10u, 9u, 0u}) {
    REQUIRE_OK(f.Send(*session, Numbered(id)));
    CHECK(f.answers.back().frame_id() == id);
    CHECK(f.answers.back().error().reason() == v1::FRAME_ID_NOT_RISING);
  }
  REQUIRE_OK(f.Send(*session, Numbered(11)));
  CHECK(f.answers.size() == 3);
  CHECK(f.engine.pending.size() == 2);
}

TEST_CASE("a stream that could not be opened is not open") {
  PublishFixture f;
  auto session = f.MakeSession(true);
  v1::PublishFrame frame = Numbered(1, "orders");
  frame.mutable_open()->set_tenant("other");
  REQUIRE_OK(f.Send(*session, frame));
  CHECK(f.answers.back().error().reason() == v1::TENANT_NOT_FOUND);
  frame.set_frame_id(2);
  frame.mutable_open()->clear_tenant();
  frame.mutable_open()->set_level(static_cast<v1::AckLevel>(7));
  REQUIRE_OK(f.Send(*session, frame));
  CHECK(f.answers.back().error().reason() == v1::UNKNOWN_ENUM_VALUE);
  frame.set_frame_id(3);
  frame.mutable_open()->clear_level();
  frame.mutable_open()->set_app(std::string(257, 'x'));
  REQUIRE_OK(f.Send(*session, frame));
  CHECK(f.answers.back().error().reason() == v1::INVALID_ARGUMENT);
  CHECK(f.answers.back().error().details().at("limit") == "max_app_name_bytes");
  CHECK(f.engine.pending.empty());
  CHECK(ReasonOf(f.Send(*session, Numbered(4, "orders"))) == v1::STREAM_NOT_OPENED);
  frame.set_frame_id(5);
  frame.mutable_open()->set_app(std::string(256, 'x'));
  REQUIRE_OK(f.Send(*session, frame));
  CHECK(f.engine.pending.size() == 1);
}

TEST_CASE("a malformed frame ends the stream, and nothing of it is stored") {
  PublishFixture f;
  auto session = f.OpenSession();
  CHECK(ReasonOf(f.SendBytes(*session, "\xff\xff")) == v1::MALFORMED_MESSAGE);
  // One good batch, then one whose event has an id that is not UTF-8.
  v1::PublishFrame frame = Numbered(1);
  std::string bytes = frame.SerializeAsString();
  bytes += std::string("\x22\x05\x7a\x03\x0a\x01\x80", 7);
  const absl::Status status = f.SendBytes(*session, bytes);
  CHECK(ReasonOf(status) == v1::MALFORMED_MESSAGE);
  CHECK(DetailsOf(status).at("event_index") == "0");
  CHECK(f.answers.empty());
  CHECK(f.engine.pending.empty());
}

TEST_CASE("one batch that fails does not fail the others") {
  PublishFixture f;
  auto session = f.OpenSession();
  v1::PublishFrame frame = Numbered(1);
  frame.add_batches()->set_topic("missing");
  AddEvent(&frame);
  frame.add_batches()->set_topic("fast");
  AddEvent(&frame);
  REQUIRE_OK(f.Send(*session, frame));
  REQUIRE(f.engine.pending.size() == 1);
  CHECK_FALSE(f.engine.pending[0].transaction.atomic);
  REQUIRE(f.engine.pending[0].transaction.appends.size() == 2);
  f.engine.pending[0].AnswerStored(3);
  REQUIRE(f.answers.size() == 1);
  REQUIRE(f.answers[0].batches_size() == 3);
  CHECK(f.answers[0].batches(0).parts_size() == 1);
  CHECK(f.answers[0].batches(1).error().reason() == v1::TOPIC_NOT_FOUND);
  CHECK(f.answers[0].batches(1).parts_size() == 0);
  CHECK(f.answers[0].batches(2).parts_size() == 1);
}

TEST_CASE("a frame of which every batch failed is answered without the engine") {
  PublishFixture f;
  auto session = f.OpenSession("missing");
  REQUIRE_OK(f.Send(*session, Numbered(1)));
  CHECK(f.engine.pending.empty());
  REQUIRE(f.answers.size() == 1);
  CHECK_FALSE(f.answers[0].has_error());
  CHECK(PublishFixture::BatchReason(f.answers[0]) == v1::TOPIC_NOT_FOUND);
}

TEST_CASE("an engine that takes nothing refuses the frame") {
  PublishFixture f;
  auto session = f.OpenSession();
  f.engine.refuse = Error(v1::PUBLISH_QUEUE_FULL, "full");
  REQUIRE_OK(f.Send(*session, Numbered(1)));
  REQUIRE(f.answers.size() == 1);
  CHECK(f.answers[0].frame_id() == 1);
  CHECK(f.answers[0].error().reason() == v1::PUBLISH_QUEUE_FULL);
  CHECK(f.answers[0].error().has_retry_after());
  CHECK(f.answers[0].batches_size() == 0);
}

TEST_CASE("streams are sources of their own, unary calls are none") {
  PublishFixture f;
  auto one = f.OpenSession();
  auto two = f.OpenSession();
  REQUIRE_OK(f.Send(*one, Numbered(1)));
  REQUIRE_OK(f.Send(*one, Numbered(2)));
  REQUIRE_OK(f.Send(*two, Numbered(1)));
  REQUIRE(f.engine.pending.size() == 3);
  CHECK(f.engine.pending[0].transaction.source != 0);
  CHECK(f.engine.pending[0].transaction.source == f.engine.pending[1].transaction.source);
  CHECK(f.engine.pending[0].transaction.source != f.engine.pending[2].transaction.source);
  f.engine.pending.clear();
  f.Publish(Numbered(0, "orders"));
  CHECK(f.sent.back().source == 0);
}

}  // namespace
}  // namespace acta
