#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "acta/v1/publisher.pb.h"
#include "acta/v1/topics.pb.h"
#include "proto/support/error.h"
#include "server/core/publish/publish_session.h"
#include "server/core/topics/topic_registry.h"
#include "tests/support/publish_whole.h"
#include "tests/support/scripted_causes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/stepped_executor.h"
#include "tests/unit/publish/recording_engine.h"

namespace acta {

// Refuses topics whose name begins with "secret" and remembers what it was asked.
class PickyAuthorizer final : public Authorizer {
 public:
  absl::Status Authorize(const Caller&, Verb verb, const Resource& resource) const override {
    CHECK(verb == Verb::kPublish);
    CHECK(resource.kind == ResourceKind::kTopic);
    asked.emplace_back(resource.name);
    if (resource.name.substr(0, 6) != "secret") return absl::OkStatus();
    return Error(v1::PERMISSION_DENIED, "no");
  }
  mutable std::vector<std::string> asked;
};

// Topics beside a recording engine:
//   orders    4 partitions, by key, FSYNC, ids
//   fast      2 partitions, by key, OS, sequences; events up to 100 bytes
//   explicit  2 partitions, EXPLICIT, OS, off
class PublishFixture {
 public:
  PublishFixture() : topics(engine, TopicLimits()) {
    REQUIRE_OK(topics.Load());
    Create("orders", 4, [](v1::Topic*) {});
    Create("fast", 2, [](v1::Topic* topic) {
      topic->set_ack_level(v1::ACK_LEVEL_OS);
      topic->set_dedupe(v1::DEDUPE_MODE_SEQUENCES);
      topic->set_max_event_bytes(100);
    });
    Create("explicit", 2, [](v1::Topic* topic) {
      topic->set_ack_level(v1::ACK_LEVEL_OS);
      topic->set_dedupe(v1::DEDUPE_MODE_OFF);
      topic->set_partitioner(v1::PARTITIONER_EXPLICIT);
    });
  }

  std::unique_ptr<PublishSession> MakeSession(bool stream) {
    Caller caller;
    caller.principal = "alice";
    return std::make_unique<PublishSession>(
        PublishSession::Deps{engine, topics, schedules, authorizer, causes, limits}, caller,
        stream);
  }
  // A stream that is open.
  std::unique_ptr<PublishSession> OpenSession(const std::string& topic = "orders") {
    auto session = MakeSession(true);
    v1::PublishFrame frame;
    frame.mutable_open()->set_topic(topic);
    REQUIRE_OK(Send(*session, frame));
    REQUIRE(answers.size() == 1);
    REQUIRE_FALSE(answers[0].has_error());
    answers.clear();
    return session;
  }

  absl::Status Send(PublishSession& session, const v1::PublishFrame& frame) {
    return SendBytes(session, frame.SerializeAsString());
  }
  absl::Status SendBytes(PublishSession& session, std::string bytes) {
    return PublishWhole(session, SharedBytes(std::move(bytes)),
                        [this](v1::FrameResult result) { answers.push_back(std::move(result)); });
  }
  // Sends one frame as a unary call and returns its answer, after the engine stored what it got.
  v1::FrameResult Publish(const v1::PublishFrame& frame) {
    auto session = MakeSession(false);
    const size_t before = answers.size();
    REQUIRE_OK(Send(*session, frame));
    for (auto& one : std::exchange(engine.pending, {})) {
      sent.push_back({});
      sent.back().appends = one.transaction.appends;
      sent.back().level = one.transaction.level;
      sent.back().atomic = one.transaction.atomic;
      sent.back().source = one.transaction.source;
      one.AnswerStored(100);
    }
    REQUIRE(answers.size() == before + 1);
    return answers.back();
  }
  // The reason of the one batch of an answer.
  static v1::ErrorReason BatchReason(const v1::FrameResult& result) {
    REQUIRE(result.batches_size() >= 1);
    return result.batches(0).error().reason();
  }

  RecordingEngine engine;
  TopicRegistry topics;
  SteppedExecutor pool;
  SteppedTimer timer;
  Schedules schedules{Schedules::Deps{engine, topics, pool, timer, {}}};
  PickyAuthorizer authorizer;
  ScriptedCauses causes;
  PublishLimits limits;
  std::vector<v1::FrameResult> answers;
  std::vector<Transaction> sent;  // Without `done`.

 private:
  template <typename Change>
  void Create(const std::string& name, int32_t partitions, Change change) {
    v1::CreateTopicRequest request;
    request.mutable_topic()->set_name(name);
    request.mutable_topic()->set_partitions(partitions);
    change(request.mutable_topic());
    REQUIRE_OK(topics.Create(Caller{"alice"}, request));
  }
};

// A frame of one batch.
inline v1::PublishFrame OneBatch(const std::string& topic, std::optional<int32_t> partition = {}) {
  v1::PublishFrame frame;
  v1::PartitionBatch* batch = frame.add_batches();
  batch->set_topic(topic);
  if (partition.has_value()) batch->set_partition(*partition);
  return frame;
}
inline v1::Event* AddEvent(v1::PublishFrame* frame, const std::string& key = "",
                           const std::string& id = "") {
  v1::Event* event = frame->mutable_batches(frame->batches_size() - 1)->add_events();
  if (!key.empty()) event->set_key(key);
  if (!id.empty()) event->set_id(id);
  return event;
}

}  // namespace acta
