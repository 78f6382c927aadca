#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/support/proto_time.h"
#include "tests/unit/journeys/journey_room.h"

namespace acta {

// A member that takes when the test says so.
class QuietMember final : public MemberListener {
 public:
  void OnAssigned(const MemberAssignment& assignment) override { handle = assignment.handle; }
  void OnRevoking(uint64_t, absl::Duration) override {}
  void OnRevoked(uint64_t) override {}
  void OnPaused(bool) override {}
  void OnQueued() override {}
  void OnEnded(const absl::Status&) override {}

  uint64_t handle = 0;
};

// A topic `orders` of one partition with events "e0", "e1", ..., and one group that reads it, whose
// one member is `worker-1`.
struct OutcomesRoom : JourneyRoom {
  using Kind = QueueSettlement::Kind;

  OutcomesRoom(v1::GroupMode mode, int events, absl::Duration expires = absl::ZeroDuration(),
               v1::JourneyMode journey = v1::JOURNEY_MODE_FULL, JourneyLimits its_limits = {})
      : JourneyRoom(its_limits) {
    CreateTopic("orders", 1, journey);
    partition = topics->Find("default", "orders")->partition(0);
    for (int i = 0; i < events; ++i) {
      v1::Event event = Event("e" + std::to_string(i));
      const absl::Time end = engine->Now() + expires;
      if (expires > absl::ZeroDuration()) event.set_expires_at_us(absl::ToUnixMicros(end));
      JourneyRoom::Publish("orders", event);
    }
    v1::CreateGroupRequest request;
    request.mutable_group()->set_name("workers");
    request.mutable_group()->add_topics("orders");
    request.mutable_group()->set_mode(mode);
    if (mode == v1::GROUP_MODE_QUEUE) {
      SetDuration(kRetention,
                  request.mutable_group()->mutable_queue()->mutable_dead_letter_retention());
    }
    request.mutable_start()->set_earliest(true);
    REQUIRE_OK(groups->Create(caller, request));
    JoinRequest join;
    join.group = "workers";
    join.member_id = "worker-1";
    auto joined = groups->Join(caller, join, listener);
    REQUIRE_OK(joined);
    member = *std::move(joined);
    pool.RunAll();
  }
  // Leaves and is gone, as after kill -9.
  void LeaveAndRestart() {
    member->Leave();
    member.reset();
    pool.RunAll();
    Restart();
  }
  void DeleteGroup() {
    member->Leave();
    member.reset();
    pool.RunAll();
    v1::DeleteGroupRequest request;
    request.set_name("workers");
    request.set_force(true);
    REQUIRE_OK(groups->Delete(caller, request));
    pool.RunAll();
  }
  static Caller Named(const std::string& principal) {
    return {principal, "default", "", absl::InfiniteDuration()};
  }

  // Of a STREAM group; not set: it is not answered yet.
  using Answer = std::shared_ptr<std::optional<absl::Status>>;
  Answer Commit(int64_t offset) {
    const auto answer = std::make_shared<std::optional<absl::Status>>();
    member->Commit(listener->handle, Offset(offset),
                   [answer](const absl::Status& status, bool) { *answer = status; });
    pool.RunAll();
    return answer;
  }

  // Of a QUEUE group. How many it got.
  int64_t Take() {
    std::vector<QueueDelivery> out;
    std::vector<QueueProblem> problems;
    return member->queue()->Take(member->session(), {100, 1 << 20}, &out, &problems).events;
  }
  void Settle(Kind kind, int64_t offset, std::optional<absl::Duration> delay = std::nullopt) {
    QueueSettlement one;
    one.partition = partition;
    one.offset = Offset(offset);
    one.kind = kind;
    one.delay = delay;
    CHECK(
        member->queue()->Settle(member->session(), {&one, 1}, [](const absl::Status&) {}).empty());
  }
  // `end` not set: it is processed.
  void SettleInStep(std::optional<AttemptEnd> end, int64_t offset) {
    QueueStep step;
    step.runs.push_back({member->session(), partition, Offset(offset)});
    step.runs[0].failed = end;
    step.runs[0].nack.delay = absl::Hours(1);
    step.done = [](const TransactionResult&) {};
    CHECK(member->queue()->SettleStep(std::move(step)).empty());
  }
  void FailInStep(AttemptEnd end, int64_t offset) { SettleInStep(end, offset); }
  void Skip(int64_t offset) {
    const OffsetRun run = {Offset(offset), Offset(offset + 1)};
    CHECK(member->queue()->Skip(partition, run, {"ann", "a test"}) == 1);
  }
  // Of the group, by ann, which ends its member.
  void Reset(int64_t offset) {
    pool.RunAll();
    v1::ResetOffsetsRequest request;
    request.set_group("workers");
    request.mutable_to()->set_offset(offset);
    request.set_reason("a test");
    request.set_force(true);
    REQUIRE_OK(groups->ResetOffsets(Named("ann"), request));
    pool.RunAll();
  }
  // Events that the member has become dead letters.
  void RejectAll(int64_t events) {
    REQUIRE(Take() == events);
    for (int64_t offset = 0; offset < events; ++offset) Settle(Kind::kReject, offset);
    pool.RunAll();
  }
  static v1::DeadLetterSelection Letter(int64_t offset) {
    v1::DeadLetterSelection selection;
    selection.add_letters()->set_topic("orders");
    selection.mutable_letters(0)->set_offset(offset);
    return selection;
  }
  // Everything is answered, and what was queued behind that is written.
  void Release() {
    engine->ReleaseDone();
    pool.RunAll();
  }

  v1::GroupOutcome Told(int64_t offset) const {
    const auto journey = Get(ByPosition("orders", 0, offset));
    for (const v1::JourneyEvent& event : journey.events()) {
      if (event.position().offset() != offset) continue;
      REQUIRE(event.groups_size() == 1);
      return event.groups(0);
    }
    FAIL("it is not in its own journey");
    return {};
  }
  void CheckSkipped(int64_t offset) const {
    const v1::GroupOutcome outcome = Told(offset);
    CHECK(outcome.state() == v1::OUTCOME_STATE_SKIPPED);
    CHECK(outcome.by() == "ann");
    CHECK(outcome.why() == "a test");
  }

  static constexpr absl::Duration kRetention = absl::Hours(2);
  PartitionId partition;
  const std::shared_ptr<QuietMember> listener = std::make_shared<QuietMember>();
  std::shared_ptr<Membership> member;
};

}  // namespace acta
