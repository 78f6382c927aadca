#pragma once

#include <catch2/catch.hpp>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "server/core/claims/claim_registry.h"
#include "storage/layout/rows.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_log_engine.h"
#include "tests/support/status_matchers.h"
#include "tests/support/stepped_executor.h"

namespace acta {

inline constexpr char kGroupName[] = "billing";

// Refuses one verb on groups.
class GroupAuthorizer final : public Authorizer {
 public:
  absl::Status Authorize(const Caller&, Verb verb, const Resource& resource) const override {
    const bool refuse = refuses && resource.kind == ResourceKind::kGroup && verb == refused_verb;
    return refuse ? Error(v1::PERMISSION_DENIED, "no") : absl::OkStatus();
  }
  bool refuses = false;
  Verb refused_verb = Verb::kAdminGroups;
};

// Claims over groups "billing" and "audit", on an engine that is given.
class ClaimsRoom {
 public:
  explicit ClaimsRoom(LogEngine& engine, ClaimLimits limits = {}) : limits_(limits) {
    Start(engine);
    v1::CreateTopicRequest topic;
    topic.mutable_topic()->set_name("orders");
    REQUIRE_OK(topics->Create(caller, topic));
    MakeGroup(kGroupName);
    MakeGroup("audit");
  }

  // A new life on the rows of this engine.
  void Restart(LogEngine& engine) {
    Stop();
    Start(engine);
  }
  void Stop() {
    claims.reset();
    groups.reset();
    topics.reset();
  }

  void MakeGroup(const std::string& name, v1::GroupMode mode = v1::GROUP_MODE_STREAM) {
    v1::CreateGroupRequest request;
    request.mutable_group()->set_name(name);
    request.mutable_group()->set_mode(mode);
    request.mutable_group()->add_topics("orders");
    REQUIRE_OK(groups->Create(caller, request));
  }
  void DeleteGroup(const std::string& name) {
    v1::DeleteGroupRequest request;
    request.set_name(name);
    REQUIRE_OK(groups->Delete(caller, request));
  }

  static v1::ClaimRequest Wish(const std::string& key, const std::string& owner = "",
                               const std::string& request_id = "") {
    v1::ClaimRequest request;
    request.set_group(kGroupName);
    request.set_key(key);
    request.set_owner(owner);
    request.set_request_id(request_id);
    return request;
  }
  static v1::CompleteClaimRequest Completion(const std::string& key, const std::string& token,
                                             const std::string& result) {
    v1::CompleteClaimRequest request;
    request.set_group(kGroupName);
    request.set_key(key);
    request.set_token(token);
    request.set_result(result);
    return request;
  }

  v1::ClaimResponse Ask(const v1::ClaimRequest& request) {
    const auto response = claims->Claim(caller, request);
    REQUIRE_OK(response);
    return *response;
  }
  v1::ClaimResponse Ask(const std::string& key) { return Ask(Wish(key)); }
  // The token.
  std::string First(const v1::ClaimRequest& request) {
    const v1::ClaimResponse response = Ask(request);
    REQUIRE(response.outcome() == v1::CLAIM_OUTCOME_FIRST);
    REQUIRE(response.token().size() == 32);
    return response.token();
  }
  std::string First(const std::string& key) { return First(Wish(key)); }

  absl::Status Complete(const std::string& key, const std::string& token,
                        const std::string& result = "done") {
    return claims->Complete(caller, Completion(key, token, result)).status();
  }
  absl::Status Release(const std::string& key, const std::string& token, bool force = false) {
    v1::ReleaseClaimRequest request;
    request.set_group(kGroupName);
    request.set_key(key);
    request.set_token(token);
    request.set_force(force);
    return claims->Release(caller, request).status();
  }
  absl::StatusOr<v1::Claim> Get(const std::string& key) {
    v1::GetClaimRequest request;
    request.set_group(kGroupName);
    request.set_key(key);
    const auto response = claims->Get(caller, request);
    if (!response.ok()) return response.status();
    return response->claim();
  }
  v1::ListClaimsResponse List(int32_t page_size = 0, const std::string& page_token = "") {
    v1::ListClaimsRequest request;
    request.set_group(kGroupName);
    request.set_page_size(page_size);
    request.set_page_token(page_token);
    const auto response = claims->List(caller, request);
    REQUIRE_OK(response);
    return *response;
  }

  // How many claims, and rows by time, the disk has, of all groups.
  size_t Stored() const { return engine_->LoadRows(Family::kState, kClaimRows)->size(); }
  size_t StoredEnds() const { return engine_->LoadRows(Family::kState, kClaimEndRows)->size(); }

  Caller caller{"anonymous", "default", "test", absl::InfiniteDuration()};
  FakeClock clock;
  GroupAuthorizer authorizer;
  SteppedExecutor pool;
  SteppedTimer timer;
  std::unique_ptr<TopicRegistry> topics;
  std::unique_ptr<GroupRegistry> groups;
  std::unique_ptr<ClaimRegistry> claims;

 private:
  void Start(LogEngine& engine) {
    engine_ = &engine;
    topics = std::make_unique<TopicRegistry>(engine, TopicLimits());
    groups = std::make_unique<GroupRegistry>(
        GroupRegistry::Deps{engine, clock, *topics, authorizer, pool, timer, GroupLimits()});
    REQUIRE_OK(topics->Load());
    REQUIRE_OK(groups->Load());
    claims = std::make_unique<ClaimRegistry>(
        ClaimRegistry::Deps{engine, *groups, authorizer, timer, limits_});
  }

  const ClaimLimits limits_;
  LogEngine* engine_ = nullptr;
};

// On an engine in memory, whose time the test moves.
struct MemoryClaims {
  explicit MemoryClaims(ClaimLimits limits = {}) : room(engine, limits) {}
  // Also the sweep's time.
  void Pass(absl::Duration by) {
    engine.Advance(by);
    room.timer.Advance(by);
  }

  MemoryLogEngine engine;
  ClaimsRoom room;
};

}  // namespace acta
