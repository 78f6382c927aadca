#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "acta/v1/context.pb.h"
#include "acta/v1/journeys.pb.h"
#include "proto/support/error.h"
#include "server/core/journeys/journeys.h"
#include "storage/layout/engine_rows.h"
#include "storage/submit_and_wait.h"
#include "tests/support/memory_log_engine.h"
#include "tests/support/status_matchers.h"
#include "tests/support/stepped_executor.h"

namespace acta {

// Allows everything but to browse some topics.
class ClosedTopics final : public Authorizer {
 public:
  absl::Status Authorize(const Caller&, Verb, const Resource& resource) const override {
    if (!closed.contains(std::string(resource.name))) return absl::OkStatus();
    return Error(v1::PERMISSION_DENIED, "closed");
  }
  std::set<std::string> closed;
};

// Journeys over an engine in memory, with a real indexer.
class JourneyRoom {
 public:
  explicit JourneyRoom(JourneyLimits its_limits = {}, std::unique_ptr<MemoryLogEngine> its_engine =
                                                          std::make_unique<MemoryLogEngine>())
      : limits(its_limits), engine(std::move(its_engine)) {
    Build();
  }
  ~JourneyRoom() { indexer->Stop(); }

  // A new life on what was stored, as after kill -9.
  void Restart() {
    indexer->Stop();
    groups.reset();
    engine = engine->Restart();
    Build();
  }
  void CreateTopic(const std::string& name, int32_t partitions = 2,
                   v1::JourneyMode mode = v1::JOURNEY_MODE_FULL) {
    v1::CreateTopicRequest request;
    request.mutable_topic()->set_name(name);
    request.mutable_topic()->set_partitions(partitions);
    request.mutable_topic()->set_journey(mode);
    REQUIRE_OK(topics->Create(caller, request));
  }
  void SetMode(const std::string& name, v1::JourneyMode mode) {
    v1::UpdateTopicRequest request;
    request.mutable_topic()->set_name(name);
    request.mutable_topic()->set_journey(mode);
    request.mutable_update_mask()->add_paths("journey");
    REQUIRE_OK(topics->Update(caller, request));
  }

  static v1::Event Event(const std::string& id, const std::string& correlation = "",
                         const std::string& cause = "") {
    v1::Event event;
    event.set_id(id);
    event.set_type("Type of " + id);
    event.set_data("data");
    event.set_correlation_id(correlation);
    event.set_causation_id(cause);
    return event;
  }
  // As one batch; where it begins.
  Offset Publish(const std::string& topic, int32_t partition, const std::vector<v1::Event>& events,
                 const v1::BatchContext& context = {}) {
    return PublishTo(topics->Find("default", topic)->partition(partition), events, context);
  }
  Offset PublishTo(PartitionId partition, const std::vector<v1::Event>& events,
                   const v1::BatchContext& context = {}) {
    engine->Advance(absl::Milliseconds(1));
    v1::PartitionBatch batch;
    for (const v1::Event& event : events) *batch.add_events() = event;
    Append append;
    append.partition = partition;
    append.payload = SharedBytes(batch.SerializeAsString());
    append.context = SharedBytes(context.SerializeAsString());
    append.count = static_cast<uint32_t>(events.size());
    Transaction transaction;
    transaction.appends.push_back(std::move(append));
    const TransactionResult result = SubmitAndWait(*engine, std::move(transaction));
    REQUIRE_OK(result.status);
    REQUIRE_OK(result.appends[0].status);
    return result.appends[0].base_offset;
  }
  void Publish(const std::string& topic, const v1::Event& event,
               const v1::BatchContext& context = {}) {
    Publish(topic, 0, {event}, context);
  }

  static v1::GetJourneyRequest ByEvent(const std::string& id, const std::string& source = "") {
    v1::GetJourneyRequest request;
    request.mutable_selection()->mutable_event()->set_id(id);
    request.mutable_selection()->mutable_event()->set_source(source);
    return request;
  }
  static v1::GetJourneyRequest ByCorrelation(const std::string& id) {
    v1::GetJourneyRequest request;
    request.mutable_selection()->set_correlation_id(id);
    return request;
  }
  static v1::GetJourneyRequest ByAffected(const std::string& kind, const std::string& id) {
    v1::GetJourneyRequest request;
    request.mutable_selection()->mutable_affected()->set_kind(kind);
    request.mutable_selection()->mutable_affected()->set_id(id);
    return request;
  }
  static v1::GetJourneyRequest ByPosition(const std::string& topic, int32_t partition,
                                          int64_t offset) {
    v1::GetJourneyRequest request;
    v1::EventPosition* const position = request.mutable_selection()->mutable_position();
    position->set_topic(topic);
    position->set_partition(partition);
    position->set_offset(offset);
    return request;
  }
  v1::GetJourneyResponse Get(const v1::GetJourneyRequest& request) const {
    CHECK(indexer->CatchUp(absl::Seconds(20)));  // The call itself waits for half a second.
    const auto got = journeys->Get(caller, request);
    REQUIRE_OK(got.status());
    CHECK(got->index().lag_events() == 0);
    return *got;
  }
  v1::ErrorReason ReasonOfGet(const v1::GetJourneyRequest& request) const {
    return ReasonOf(journeys->Get(caller, request).status());
  }
  // Its journeys by another clock, as one that stands still.
  Journeys JourneysBy(const Clock& other) {
    return Journeys({*engine, other, *topics, authorizer, *indexer, *groups, pool});
  }
  // "id" or "cause>id" of each, in order.
  static std::vector<std::string> Edges(const v1::GetJourneyResponse& journey) {
    std::vector<std::string> edges;
    for (const v1::JourneyEvent& event : journey.events()) {
      std::string edge = event.has_cause() ? journey.events(event.cause()).event().id() + ">" : "";
      edges.push_back(edge + event.event().id());
    }
    return edges;
  }

  const JourneyLimits limits;
  const SystemClock clock;
  const Caller caller{"anonymous", "default", "", absl::InfiniteDuration()};
  ClosedTopics authorizer;
  std::unique_ptr<MemoryLogEngine> engine;
  std::unique_ptr<TopicRegistry> topics;
  SteppedExecutor pool;
  SteppedTimer timer{pool};
  std::unique_ptr<GroupRegistry> groups;
  std::unique_ptr<JourneyIndexer> indexer;
  std::unique_ptr<Journeys> journeys;

 private:
  void Build() {
    REQUIRE_OK(engine->OpenTopic(kLedgerTopic, 1, TopicSettings()));
    topics = std::make_unique<TopicRegistry>(*engine, TopicLimits());
    REQUIRE_OK(topics->Load());
    indexer = std::make_unique<JourneyIndexer>(*engine, clock, *topics, limits);
    REQUIRE_OK(indexer->Load());
    groups = std::make_unique<GroupRegistry>(
        GroupRegistry::Deps{*engine, clock, *topics, authorizer, pool, timer, GroupLimits()});
    REQUIRE_OK(groups->Load());
    topics->SetChangeListener(
        [this](const Topic& topic, bool deleted) { groups->OnTopicChanged(topic, deleted); });
    journeys = std::make_unique<Journeys>(
        Journeys::Deps{*engine, clock, *topics, authorizer, *indexer, *groups, pool});
    indexer->Start();
  }
};

}  // namespace acta
