#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "acta/v1/publisher.pb.h"
#include "acta/v1/schedules.pb.h"
#include "proto/support/error.h"
#include "proto/support/wire.h"
#include "server/core/publish/publish_session.h"
#include "server/core/schedules/schedules.h"
#include "server/core/topics/topic_registry.h"
#include "tests/support/memory_log_engine.h"
#include "tests/support/publish_whole.h"
#include "tests/support/scripted_causes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/stepped_executor.h"

namespace acta {

// Schedules over an engine in memory with a topic `reminders` of 4 partitions; its time stands
// still until it is told.
class ScheduleRoom {
 public:
  using Strings = std::vector<std::string>;

  explicit ScheduleRoom(const ScheduleLimits& limits = {})
      : limits(limits), engine(std::make_unique<MemoryLogEngine>()) {
    Build();
    CreateTopic("reminders", 4);
  }

  // A new life on what was stored, as after kill -9.
  void Restart() {
    schedules.reset();
    topics.reset();
    pool.RunAll();
    engine = engine->Restart();
    Build();
  }
  void CreateTopic(const std::string& name, int32_t partitions) {
    v1::CreateTopicRequest request;
    request.mutable_topic()->set_name(name);
    request.mutable_topic()->set_partitions(partitions);
    REQUIRE_OK(topics->Create(caller, request));
  }
  void DeleteTopic(const std::string& name) {
    v1::DeleteTopicRequest request;
    request.set_name(name);
    REQUIRE_OK(topics->Delete(caller, request));
  }

  absl::Time now() const { return engine->Now(); }
  // Time passes, and what it starts runs.
  void Pass(absl::Duration time) {
    engine->Advance(time);
    timer.Advance(time);
    pool.RunAll();
  }

  // A frame of one batch that is due `after` from now.
  v1::PublishFrame Frame(absl::Duration after, const Strings& data,
                         const std::string& topic = "reminders") const {
    v1::PublishFrame frame;
    v1::PartitionBatch* batch = frame.add_batches();
    batch->set_topic(topic);
    batch->set_deliver_at_us(absl::ToUnixMicros(now() + after));
    for (const std::string& one : data) batch->add_events()->set_data(one);
    return frame;
  }
  // Of the frame as a unary call; nothing while it is not answered.
  std::shared_ptr<std::optional<v1::FrameResult>> Send(const v1::PublishFrame& frame) {
    const auto answer = std::make_shared<std::optional<v1::FrameResult>>();
    PublishSession session({*engine, *topics, *schedules, authorizer, causes, PublishLimits()},
                           caller, /*stream=*/false);
    REQUIRE_OK(PublishWhole(session, SharedBytes(frame.SerializeAsString()),
                            [answer](v1::FrameResult result) { *answer = std::move(result); }));
    return answer;
  }
  v1::FrameResult Publish(const v1::PublishFrame& frame) {
    const auto answer = Send(frame);
    REQUIRE(answer->has_value());
    return **answer;
  }
  // The schedule ids of the first batch.
  Strings Schedule(const v1::PublishFrame& frame) {
    const v1::FrameResult result = Publish(frame);
    INFO(result.ShortDebugString());
    REQUIRE_FALSE(result.has_error());
    REQUIRE_FALSE(result.batches(0).has_error());
    Strings ids;
    for (const auto& one : result.batches(0).scheduled()) ids.push_back(one.schedule_id());
    return ids;
  }
  Strings Schedule(absl::Duration after, const Strings& data,
                   const std::string& topic = "reminders") {
    return Schedule(Frame(after, data, topic));
  }

  // The data of all events of a topic's partition, or of all partitions one after the other.
  Strings Log(int32_t partition, const std::string& topic = "reminders") const {
    Strings data;
    const PartitionId id = topics->Find("default", topic)->partition(partition);
    Offset at;
    while (true) {
      const auto batches = engine->Read(id, at, 1 << 20);
      REQUIRE_OK(batches);
      if (batches->empty()) return data;
      for (const BatchPtr& batch : *batches) {
        at = batch->end();
        EventElements elements(batch->payload.view());
        absl::string_view bytes;
        v1::Event event;
        while (elements.Next(&bytes)) {
          REQUIRE(event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
          data.push_back(event.data());
        }
      }
    }
  }
  Strings Log() const {
    Strings all;
    for (int32_t partition = 0; partition < topics->Find("default", "reminders")->partitions();
         ++partition) {
      for (std::string& one : Log(partition)) all.push_back(std::move(one));
    }
    return all;
  }

  absl::Status Move(const std::string& id, absl::Duration after) {
    v1::MoveScheduleRequest request;
    request.set_topic("reminders");
    request.set_schedule_id(id);
    request.mutable_deliver_at()->set_seconds(absl::ToUnixSeconds(now() + after));
    return schedules->Move(caller, request).status();
  }
  absl::Status Cancel(const std::string& id, const std::string& topic = "reminders") {
    v1::CancelScheduleRequest request;
    request.set_topic(topic);
    request.set_schedule_id(id);
    return schedules->Cancel(caller, request).status();
  }
  // The ids of a list.
  Strings List(v1::ListSchedulesRequest request = {}) const {
    const auto response = schedules->List(caller, request);
    REQUIRE_OK(response);
    Strings ids;
    for (const v1::Schedule& one : response->schedules()) ids.push_back(one.schedule_id());
    return ids;
  }
  size_t Rows() const {
    return engine->LoadRows(Family::kState, "due/")->size() +
           engine->LoadRows(Family::kState, "schedule/")->size();
  }

  const ScheduleLimits limits;
  const Caller caller{"alice"};
  const AllowAll authorizer;
  const ScriptedCauses causes;
  SteppedExecutor pool;
  SteppedTimer timer{pool};
  std::unique_ptr<MemoryLogEngine> engine;
  std::unique_ptr<TopicRegistry> topics;
  std::unique_ptr<Schedules> schedules;

 private:
  void Build() {
    topics = std::make_unique<TopicRegistry>(*engine, TopicLimits());
    REQUIRE_OK(topics->Load());
    schedules = std::make_unique<Schedules>(Schedules::Deps{*engine, *topics, pool, timer, limits});
    REQUIRE_OK(schedules->Load());
    topics->SetChangeListener([this](const Topic& topic, bool deleted) {
      if (deleted) schedules->ForgetTopic(topic.id);
    });
  }
};

}  // namespace acta
