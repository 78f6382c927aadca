#pragma once

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/core/subscribe/subscription_hub.h"
#include "storage/base/crc32c.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_log_engine.h"
#include "tests/support/status_matchers.h"
#include "tests/support/stepped_executor.h"
#include "tests/unit/subscribe/recording_sink.h"

namespace acta {

using Strings = std::vector<std::string>;

// Refuses the names in `refused`, and writes down what it was asked.
class PickyAuthorizer final : public Authorizer {
 public:
  absl::Status Authorize(const Caller&, Verb verb, const Resource& resource) const override {
    const std::string name(resource.name);
    asked.push_back(std::string(Name(verb)) +
                    (resource.kind == ResourceKind::kGroup ? " group " : " topic ") + name);
    return name == refused ? Error(v1::PERMISSION_DENIED, "no") : absl::OkStatus();
  }
  mutable Strings asked;
  std::string refused;
};

// One client: its sink, its stream and the frames it sends.
class Client {
 public:
  Client(SubscriptionHub& hub, const Caller& caller) : stream(hub.Open(caller, sink)) {}

  uint64_t Send(v1::SubscribeControl control) {
    control.set_frame_id(++last_id);
    stream->OnControl(control.SerializeAsString());
    return last_id;
  }
  uint64_t Start(const v1::SubscribeStart& start) {
    v1::SubscribeControl control;
    *control.mutable_start() = start;
    return Send(control);
  }
  uint64_t Credit(int64_t events, int64_t bytes) {
    v1::SubscribeControl control;
    control.mutable_credit()->set_events(events);
    control.mutable_credit()->set_bytes(bytes);
    return Send(control);
  }
  uint64_t Commit(uint64_t handle, int64_t offset) {
    v1::SubscribeControl control;
    control.mutable_commit()->set_assignment(handle);
    control.mutable_commit()->set_offset(offset);
    return Send(control);
  }
  uint64_t Settle(const v1::Settlement& settlement) {
    v1::SubscribeControl control;
    *control.mutable_settle()->add_settlements() = settlement;
    return Send(control);
  }
  uint64_t Settle(v1::SettleKind kind, const RecordingSink::Leased& event, int32_t count = 1) {
    v1::Settlement settlement;
    settlement.set_assignment(event.assignment);
    settlement.set_offset(event.offset);
    settlement.set_count(count);
    settlement.set_kind(kind);
    return Settle(settlement);
  }
  uint64_t Ack(const RecordingSink::Leased& event) { return Settle(v1::SETTLE_KIND_ACK, event); }
  uint64_t Nack(const RecordingSink::Leased& event) { return Settle(v1::SETTLE_KIND_NACK, event); }
  uint64_t Released(uint64_t handle) {
    v1::SubscribeControl control;
    control.mutable_released()->set_assignment(handle);
    return Send(control);
  }
  uint64_t Tick() {
    v1::SubscribeControl control;
    control.mutable_tick();
    return Send(control);
  }
  // The frame with the sink is on its way. False: there was none.
  bool Written() {
    if (!sink.unwritten) return false;
    sink.unwritten = false;
    stream->OnWritten();
    return true;
  }

  RecordingSink sink;
  std::shared_ptr<Subscription> stream;
  uint64_t last_id = 0;
  bool reads = true;  // False: a client that does not read.
};

// An engine in memory with topics, groups and a hub on top, stepped by hand.
class SubscribeRoom {
 public:
  // `stored`: what a former life has left.
  explicit SubscribeRoom(SubscribeLimits limits = {}, GroupLimits group_limits = {},
                         std::unique_ptr<MemoryLogEngine> stored = nullptr)
      : life(stored != nullptr ? std::move(stored) : std::make_unique<MemoryLogEngine>()),
        topics(engine, TopicLimits()),
        groups({engine, clock, topics, authorizer, pool, timer, group_limits}),
        hub(std::make_unique<SubscriptionHub>(SubscriptionHub::Deps{
            engine, clock, topics, groups, authorizer, pool, timer, limits})) {
    topics.SetDeleteCheck(
        [this](const Topic& topic, bool force) { return groups.CheckTopicDelete(topic, force); });
    topics.SetChangeListener(
        [this](const Topic& topic, bool deleted) { groups.OnTopicChanged(topic, deleted); });
    REQUIRE_OK(topics.Load());
    REQUIRE_OK(groups.Load());
  }
  ~SubscribeRoom() {
    for (auto& client : clients) client->stream->OnDisconnect();
    Run();
  }

  void MakeTopic(int32_t partitions, const std::string& name = "orders") {
    v1::CreateTopicRequest request;
    request.mutable_topic()->set_name(name);
    request.mutable_topic()->set_partitions(partitions);
    REQUIRE_OK(topics.Create(caller, request));
  }
  void GrowTopic(int32_t partitions, const std::string& name = "orders") {
    v1::UpdateTopicRequest request;
    request.mutable_topic()->set_name(name);
    request.mutable_topic()->set_partitions(partitions);
    request.mutable_update_mask()->add_paths("partitions");
    request.set_accept_reorder(true);
    REQUIRE_OK(topics.Update(caller, request));
  }
  void DeleteTopic(const std::string& name = "orders") {
    v1::DeleteTopicRequest request;
    request.set_name(name);
    request.set_force(true);
    REQUIRE_OK(topics.Delete(caller, request));
  }
  PartitionId Id(int32_t partition, const std::string& topic = "orders") const {
    return topics.Find("default", topic)->partition(partition);
  }
  // One stored batch.
  void Publish(int32_t partition, const Strings& events, const std::string& topic = "orders") {
    std::string payload;
    for (const std::string& event : events) payload += Element(event);
    PublishElements(partition, payload, events.size(), topic);
  }
  void PublishElements(int32_t partition, std::string payload, size_t events,
                       const std::string& topic = "orders") {
    Append append;
    append.partition = Id(partition, topic);
    append.count = static_cast<uint32_t>(events);
    append.payload_crc32c = Crc32c(payload);
    append.payload = SharedBytes(std::move(payload));
    append.context = SharedBytes("who");
    Transaction transaction;
    transaction.appends.push_back(std::move(append));
    REQUIRE_OK(engine.Submit(std::move(transaction)));
  }
  // "0", "1", ... in batches of `batch`.
  void PublishNumbers(int32_t partition, int count, int batch = 1) {
    for (int at = 0; at < count;) {
      Strings events;
      for (int i = 0; i < batch && at < count; ++i) events.push_back(std::to_string(at++));
      Publish(partition, events);
    }
  }
  static Strings Numbers(int from, int to) {
    Strings numbers;
    for (int at = from; at < to; ++at) numbers.push_back(std::to_string(at));
    return numbers;
  }

  Client& Connect() {
    clients.push_back(std::make_unique<Client>(*hub, caller));
    return *clients.back();
  }
  // Until nothing happens any more; clients that read let frames be written.
  void Run() {
    for (bool busy = true; busy;) {
      busy = pool.RunAll() > 0;
      for (auto& client : clients) busy = (client->reads && client->Written()) || busy;
    }
  }
  void Advance(absl::Duration by) {
    engine.Advance(by);
    Pass(by);
  }
  // Time passes that the time of the engine knows nothing of.
  void Pass(absl::Duration by) {
    clock.Advance(by);
    timer.Advance(by);
    Run();
  }

  static v1::SubscribeStart From(int64_t offset, const std::string& topic = "orders") {
    v1::SubscribeStart start;
    v1::TopicPosition* position = start.add_topics();
    position->set_topic(topic);
    position->mutable_from()->set_offset(offset);
    return start;
  }
  static v1::SubscribeStart Earliest(const std::string& topic = "orders") {
    v1::SubscribeStart start;
    v1::TopicPosition* position = start.add_topics();
    position->set_topic(topic);
    position->mutable_from()->set_earliest(true);
    return start;
  }
  static v1::SubscribeStart Member(const std::string& group, const std::string& member_id = "") {
    v1::SubscribeStart start;
    start.set_group(group);
    start.set_member_id(member_id);
    start.set_mode(v1::GROUP_MODE_STREAM);
    start.mutable_create_at()->set_earliest(true);
    start.add_topics()->set_topic("orders");
    return start;
  }
  Client& Subscribe(const v1::SubscribeStart& start) {
    Client& client = Connect();
    client.Start(start);
    Run();
    return client;
  }
  // Of group `g`, with the one partition of a topic and a frame on its way that it does not read.
  Client& MemberThatDoesNotRead() {
    MakeTopic(1);
    Client& client = Subscribe(Member("g"));
    client.reads = false;
    Publish(0, {"a"});
    Run();
    REQUIRE(client.sink.unwritten);
    return client;
  }
  v1::PartitionLag Lag(const std::string& group, int32_t partition) {
    v1::GetLagRequest request;
    request.set_group(group);
    const auto lag = groups.GetLag(caller, request);
    REQUIRE_OK(lag);
    for (const v1::PartitionLag& row : lag->partitions()) {
      if (row.partition() == partition) return row;
    }
    FAIL("no such partition");
    return {};
  }
  size_t Members(const std::string& group) {
    v1::GetGroupRequest request;
    request.set_name(group);
    const auto found = groups.Get(caller, request);
    REQUIRE_OK(found);
    return static_cast<size_t>(found->group().members_size());
  }

  Caller caller{"alice", "default", "test", absl::InfiniteDuration()};
  const std::unique_ptr<MemoryLogEngine> life;
  MemoryLogEngine& engine = *life;
  FakeClock clock;
  SteppedExecutor pool;
  SteppedTimer timer{pool};
  TopicRegistry topics;
  PickyAuthorizer authorizer;
  GroupRegistry groups;
  std::unique_ptr<SubscriptionHub> hub;
  std::vector<std::unique_ptr<Client>> clients;
};

}  // namespace acta
