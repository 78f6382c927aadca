#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "acta/v1/dead_letters.pb.h"
#include "tests/unit/subscribe/subscribe_room.h"

namespace acta {

// A room with a topic `orders` of one partition and a QUEUE group `workers` on it.
class QueueRoom : public SubscribeRoom {
 public:
  explicit QueueRoom(v1::QueueSettings settings = {}, int32_t partitions = 1,
                     GroupLimits limits = {})
      : SubscribeRoom({}, limits) {
    KeepWhatGoes();
    MakeTopic(partitions);
    MakeQueue("workers", std::move(settings));
  }
  // A new life on what another one has stored, as after `kill -9`.
  explicit QueueRoom(std::unique_ptr<MemoryLogEngine> stored)
      : SubscribeRoom({}, {}, std::move(stored)) {
    KeepWhatGoes();
  }

  void MakeQueue(const std::string& name, v1::QueueSettings settings = {}) {
    v1::CreateGroupRequest request;
    request.mutable_group()->set_name(name);
    request.mutable_group()->add_topics("orders");
    request.mutable_group()->set_mode(v1::GROUP_MODE_QUEUE);
    *request.mutable_group()->mutable_queue() = std::move(settings);
    request.mutable_start()->set_earliest(true);
    REQUIRE_OK(groups.Create(caller, request));
  }
  static v1::QueueSettings Ordered(v1::OnExhausted on_exhausted = v1::ON_EXHAUSTED_UNSPECIFIED) {
    v1::QueueSettings settings;
    settings.set_order(v1::QUEUE_ORDER_KEY);
    settings.set_on_exhausted(on_exhausted);
    return settings;
  }
  static v1::QueueSettings Attempts(int32_t max) {
    v1::QueueSettings settings;
    settings.set_max_attempts(max);
    settings.set_backoff_jitter(0);
    return settings;
  }

  Client& Work(int64_t credit = 1000, const std::string& member_id = "",
               const std::string& group = "workers", int64_t bytes = 1 << 20) {
    v1::SubscribeStart start;
    start.set_group(group);
    start.set_member_id(member_id);
    start.set_app("shop");
    start.set_app_version("7");
    start.mutable_credit()->set_events(credit);
    start.mutable_credit()->set_bytes(bytes);
    return Subscribe(start);
  }
  // Time passes, and the members tick.
  void Wait(absl::Duration time) {
    for (; time > absl::ZeroDuration(); time -= absl::Seconds(5)) {
      for (auto& client : clients) client->Tick();
      Advance(std::min(time, absl::Seconds(5)));
    }
  }
  void PublishKeyed(const std::vector<std::pair<std::string, std::string>>& events) {
    std::string payload;
    for (const auto& [key, data] : events) payload += Element(data, key);
    PublishElements(0, payload, events.size());
  }
  // A client that settled 500 events but the one at kColdOffset, which failed and is leased to it
  // again, with credit for no other event or byte: it is about to be read from the disk, on the
  // pool.
  static constexpr int64_t kColdOffset = 5;
  Client& ReadOneAnew() {
    PublishNumbers(0, 500, 10);
    engine.SetCachedReads(false);
    size_t bytes = 0;
    for (const std::string& number : Numbers(0, 500)) bytes += Element(number).size();
    Client& client = Work(500, "", "workers", static_cast<int64_t>(bytes));
    REQUIRE(client.sink.leased.size() == 500);
    client.Nack(client.sink.leased[kColdOffset]);
    for (const RecordingSink::Leased& event : client.sink.leased) {
      if (event.offset != kColdOffset) client.Ack(event);
    }
    client.Credit(1, static_cast<int64_t>(Element("5").size()));
    Run();
    engine.Advance(absl::Seconds(2));
    timer.Advance(absl::Seconds(2));
    while (Lag("workers", 0).queue().leased() == 0) REQUIRE(pool.RunOne());
    REQUIRE(pool.pending() == 1);  // The read.
    return client;
  }
  static Strings DataOf(const Client& client) {
    Strings data;
    for (const RecordingSink::Leased& event : client.sink.leased) data.push_back(event.data);
    return data;
  }
  // As many more events as may be parked, each of which failed and waits for an hour. The client
  // has nothing, and credit for no more than `kParkedAtOnce`.
  static constexpr int kMostParked = 100'000, kParkedAtOnce = 10'000;
  void ParkAsManyAsMayBe(Client& client) {
    v1::Settlement nack;
    nack.set_kind(v1::SETTLE_KIND_NACK);
    nack.mutable_delay()->set_seconds(3600);
    nack.set_count(kParkedAtOnce);
    for (size_t parked = 0; parked < kMostParked; parked += kParkedAtOnce) {
      PublishNumbers(0, kParkedAtOnce, 1000);
      Run();
      REQUIRE(client.sink.leased.size() == parked + kParkedAtOnce);
      nack.set_assignment(client.sink.leased[parked].assignment);
      nack.set_offset(client.sink.leased[parked].offset);
      client.Settle(nack);
      client.Credit(kParkedAtOnce, 1 << 20);
      Run();
    }
  }
  // What an update of these fields answers.
  absl::Status Update(const Strings& fields, const v1::QueueSettings& settings) {
    v1::UpdateGroupRequest request;
    request.mutable_group()->set_name("workers");
    *request.mutable_group()->mutable_queue() = settings;
    for (const std::string& field : fields) request.mutable_update_mask()->add_paths(field);
    const absl::Status status = groups.Update(caller, request).status();
    Run();
    return status;
  }
  v1::QueueSettings Settings() {
    v1::GetGroupRequest request;
    request.set_name("workers");
    const auto group = groups.Get(caller, request);
    REQUIRE_OK(group);
    return group->group().queue();
  }
  v1::ListDeadLettersResponse DeadLetters(const std::string& group = "workers") {
    v1::ListDeadLettersRequest request;
    request.set_group(group);
    auto listed = groups.ListDeadLetters(caller, request);
    REQUIRE_OK(listed);
    return *std::move(listed);
  }
  static v1::DeadLetterSelection AllLetters() {
    v1::DeadLetterSelection selection;
    selection.set_all(true);
    return selection;
  }
  // What the client was leased last.
  void Reject(Client& client, const std::string& text = "") {
    v1::Settlement reject;
    reject.set_assignment(client.sink.leased.back().assignment);
    reject.set_offset(client.sink.leased.back().offset);
    reject.set_kind(v1::SETTLE_KIND_REJECT);
    reject.set_text(text);
    client.Settle(reject);
    Run();
  }
  v1::DeadLetter DeadLetter(const v1::DeadLetterRef& ref) {
    v1::GetDeadLetterRequest request;
    request.set_group("workers");
    *request.mutable_ref() = ref;
    const auto got = groups.GetDeadLetter(caller, request);
    REQUIRE_OK(got);
    return got->dead_letter();
  }
  v1::PartitionExplanation Explain(const std::string& group = "workers") {
    v1::ExplainGroupRequest request;
    request.set_group(group);
    const auto explained = groups.Explain(caller, request);
    REQUIRE_OK(explained);
    return explained->partitions(0);
  }
  size_t Rows(const std::string& prefix) const {
    return engine.LoadRows(Family::kState, prefix)->size();
  }

 private:
  void KeepWhatGoes() {
    engine.before_trim = [this](PartitionId partition, Offset first) {
      return groups.KeepCopies(partition, first);
    };
    engine.after_trim = [this](const std::vector<PartitionId>& partitions) {
      groups.TrimEnded(partitions);
    };
  }
};

}  // namespace acta
