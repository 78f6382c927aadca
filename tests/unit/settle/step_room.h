#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "acta/v1/context.pb.h"
#include "server/core/schedules/schedules.h"
#include "server/core/settle/delivered_causes.h"
#include "server/core/settle/settler.h"
#include "tests/support/publish_whole.h"
#include "tests/unit/subscribe/queue_room.h"

namespace acta {

// A room with the QUEUE group `workers` on `orders`, whose members get tokens, and a topic `bills`
// of one partition that they publish to.
class StepRoom : public QueueRoom {
 public:
  using Answer = std::shared_ptr<std::optional<absl::StatusOr<v1::SettleResponse>>>;

  explicit StepRoom(v1::QueueSettings settings = {}) : QueueRoom(std::move(settings)) {
    MakeTopic(1, "bills");
  }
  explicit StepRoom(std::unique_ptr<MemoryLogEngine> stored) : QueueRoom(std::move(stored)) {}

  Client& Work(int64_t credit = 1000, const std::string& member_id = "") {
    v1::SubscribeStart start;
    start.set_group("workers");
    start.set_member_id(member_id);
    start.mutable_credit()->set_events(credit);
    start.mutable_credit()->set_bytes(1 << 20);
    start.add_wanted_features("DELIVERY_TOKENS");
    return Subscribe(start);
  }
  // Through the door for publishers, so that it says who published.
  void PublishEvent(const v1::Event& event, const std::string& topic = "orders") {
    v1::PublishFrame frame;
    frame.add_batches()->set_topic(topic);
    *frame.mutable_batches(0)->add_events() = event;
    PublishSession session(publish, caller, /*stream=*/false);
    v1::FrameResult answer;
    REQUIRE_OK(PublishWhole(session, SharedBytes(frame.SerializeAsString()),
                            [&](v1::FrameResult result) { answer = std::move(result); }));
    REQUIRE_FALSE(answer.batches(0).has_error());
    Run();
  }

  // A step that processes the event, and publishes a bill unless `bill` is empty.
  static v1::SettleRequest Step(const RecordingSink::Leased& event, const std::string& bill = "",
                                const std::string& id = "") {
    v1::SettleRequest request;
    request.set_group("workers");
    v1::ProcessedEvents* processed = request.add_processed();
    processed->set_delivery_token(event.token);
    processed->set_offset(event.offset);
    processed->set_count(1);
    if (bill.empty()) return request;
    v1::PartitionBatch* batch = request.add_publish();
    batch->set_topic("bills");
    v1::Event* published = batch->add_events();
    published->set_data(bill);
    published->set_id(id);
    return request;
  }
  // The same event, and that it failed.
  static v1::SettleRequest Failing(const RecordingSink::Leased& event, v1::SettleKind kind,
                                   const std::string& bill = "") {
    v1::SettleRequest request = Step(event, bill);
    v1::FailedEvents* failed = request.add_failed();
    failed->set_delivery_token(event.token);
    failed->set_offset(event.offset);
    failed->set_count(1);
    failed->set_kind(kind);
    request.clear_processed();
    return request;
  }
  Answer Begin(v1::SettleRequest request) {
    const auto answer = std::make_shared<std::optional<absl::StatusOr<v1::SettleResponse>>>();
    settler.Settle(caller, std::move(request),
                   [answer](absl::StatusOr<v1::SettleResponse> got) { *answer = std::move(got); });
    Run();
    return answer;
  }
  absl::StatusOr<v1::SettleResponse> Settle(v1::SettleRequest request) {
    const Answer answer = Begin(std::move(request));
    REQUIRE(answer->has_value());
    return **answer;
  }
  // The name of the limit that a request is above.
  std::string LimitOf(v1::SettleRequest request) {
    const absl::Status refused = Settle(std::move(request)).status();
    const auto details = DetailsOf(refused);
    const auto limit = details.find("limit");
    return limit == details.end() ? refused.ToString() : limit->second;
  }
  v1::ErrorReason Refused(v1::SettleRequest request) {
    const auto answer = Settle(std::move(request));
    INFO(answer.status().ToString());
    REQUIRE_FALSE(answer.ok());
    return ReasonOf(answer.status());
  }

  Strings Bills() const {
    Strings bills;
    for (const BatchPtr& batch : BillBatches()) {
      for (std::string& one : DataOf(batch->payload)) bills.push_back(std::move(one));
    }
    return bills;
  }
  std::vector<BatchPtr> BillBatches() const {
    auto batches = engine.Read(Id(0, "bills"), Offset(0), 1 << 20);
    REQUIRE_OK(batches);
    return *std::move(batches);
  }
  static v1::BatchContext ContextOf(const BatchPtr& batch) {
    v1::BatchContext context;
    REQUIRE(context.ParseFromString(std::string(batch->context.view())));
    return context;
  }
  int64_t Outstanding() {
    const v1::QueueLag lag = Lag("workers", 0).queue();
    return lag.ready() + lag.leased() + lag.retry_wait() + lag.blocked_by_key() + lag.held() +
           lag.not_scanned();
  }
  using QueueRoom::DataOf;
  static Strings DataOf(const SharedBytes& payload) { return ::acta::DataOf(payload); }

  Schedules schedules{Schedules::Deps{engine, topics, pool, timer, {}}};
  const DeliveredCauses causes{DeliveredCauses::Deps{engine, topics, groups, authorizer}};
  const PublishSession::Deps publish{engine,     topics, schedules,
                                     authorizer, causes, PublishLimits()};
  ClaimRegistry claims{ClaimRegistry::Deps{engine, groups, authorizer, timer, ClaimLimits()}};
  const Settler settler{Settler::Deps{publish, groups, claims, pool}};
};

}  // namespace acta
