#include <catch2/catch.hpp>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "acta/v1/admin.grpc.pb.h"
#include "acta/v1/claims.grpc.pb.h"
#include "acta/v1/dead_letters.grpc.pb.h"
#include "acta/v1/groups.grpc.pb.h"
#include "acta/v1/subscriber.grpc.pb.h"
#include "acta/v1/topics.grpc.pb.h"
#include "tests/unit/rpc/rpc_room.h"

namespace acta {
namespace {

TEST_CASE("topics are created, listed, looked at and deleted", "[rpc]") {
  RpcRoom room;
  const auto topics = v1::Topics::NewStub(room.Connect());
  {
    v1::CreateTopicRequest request;
    request.mutable_topic()->set_name("orders");
    request.mutable_topic()->set_partitions(3);
    v1::CreateTopicResponse response;
    TestContext context;
    REQUIRE(topics->CreateTopic(&context, request, &response).ok());
    CHECK(response.topic().partitions() == 3);
    TestContext again;
    CHECK(Reason(topics->CreateTopic(&again, request, &response)) == v1::TOPIC_ALREADY_EXISTS);
  }
  {
    v1::ListTopicsResponse response;
    TestContext context;
    REQUIRE(topics->ListTopics(&context, {}, &response).ok());
    CHECK(response.topics_size() == 1);
  }
  {
    v1::ListPartitionsRequest request;
    request.set_topic("orders");
    v1::ListPartitionsResponse response;
    TestContext context;
    REQUIRE(topics->ListPartitions(&context, request, &response).ok());
    CHECK(response.partitions_size() == 3);
  }
  {
    v1::DeleteTopicRequest request;
    request.set_name("orders");
    v1::DeleteTopicResponse response;
    TestContext context;
    REQUIRE(topics->DeleteTopic(&context, request, &response).ok());
  }
  v1::GetTopicRequest request;
  request.set_name("orders");
  v1::GetTopicResponse response;
  TestContext context;
  const grpc::Status status = topics->GetTopic(&context, request, &response);
  CHECK(status.error_code() == grpc::StatusCode::NOT_FOUND);
  CHECK(Reason(status) == v1::TOPIC_NOT_FOUND);
  CHECK(room.rejections.count(v1::TOPIC_NOT_FOUND) == 1);
}

TEST_CASE("groups are created and tell their lag", "[rpc]") {
  RpcRoom room;
  room.MakeTopic("orders", 2);
  const auto groups = v1::Groups::NewStub(room.Connect());
  v1::CreateGroupRequest request;
  request.mutable_group()->set_name("billing");
  request.mutable_group()->add_topics("orders");
  request.mutable_group()->set_mode(v1::GROUP_MODE_STREAM);
  v1::CreateGroupResponse created;
  TestContext context;
  REQUIRE(groups->CreateGroup(&context, request, &created).ok());
  v1::GetLagRequest ask;
  ask.set_group("billing");
  v1::GetLagResponse lag;
  TestContext second;
  REQUIRE(groups->GetLag(&second, ask, &lag).ok());
  CHECK(lag.partitions_size() == 2);
}

TEST_CASE("claims are taken, completed, shown, listed and released", "[rpc]") {
  RpcRoom room;
  room.MakeTopic("orders");
  v1::CreateGroupRequest group;
  group.mutable_group()->set_name("billing");
  group.mutable_group()->add_topics("orders");
  REQUIRE_OK(room.groups.Create(Caller{"test"}, group));
  const auto claims = v1::Claims::NewStub(room.Connect());
  v1::ClaimRequest ask;
  ask.set_group("billing");
  ask.set_key("order-17/mail");
  v1::ClaimResponse first;
  TestContext context;
  REQUIRE(claims->Claim(&context, ask, &first).ok());
  CHECK(first.outcome() == v1::CLAIM_OUTCOME_FIRST);
  CHECK(first.token().size() == 32);

  v1::CompleteClaimRequest complete;
  complete.set_group("billing");
  complete.set_key("order-17/mail");
  complete.set_token(std::string(32, '0'));
  v1::CompleteClaimResponse completed;
  TestContext lost;
  const grpc::Status status = claims->CompleteClaim(&lost, complete, &completed);
  CHECK(status.error_code() == grpc::StatusCode::FAILED_PRECONDITION);
  CHECK(Reason(status) == v1::CLAIM_LOST);
  CHECK(room.rejections.count(v1::CLAIM_LOST) == 1);
  complete.set_token(first.token());
  TestContext second;
  REQUIRE(claims->CompleteClaim(&second, complete, &completed).ok());
  CHECK(completed.changed());

  v1::ListClaimsRequest list;
  list.set_group("billing");
  v1::ListClaimsResponse listed;
  TestContext third;
  REQUIRE(claims->ListClaims(&third, list, &listed).ok());
  CHECK(listed.claims_size() == 1);
  v1::ReleaseClaimRequest release;
  release.set_group("billing");
  release.set_key("order-17/mail");
  release.set_force(true);
  v1::ReleaseClaimResponse released;
  TestContext fourth;
  REQUIRE(claims->ReleaseClaim(&fourth, release, &released).ok());
  v1::GetClaimRequest get;
  get.set_group("billing");
  get.set_key("order-17/mail");
  v1::GetClaimResponse shown;
  TestContext fifth;
  CHECK(Reason(claims->GetClaim(&fifth, get, &shown)) == v1::CLAIM_NOT_FOUND);
}

// Goal: claims that wait for a slow disk leave threads to other calls. Method: the disk is held
// while as many claims as may be, and one more, are asked for.
TEST_CASE("above 12 calls of claims at once are refused with a delay, others go on", "[rpc]") {
  RpcRoom room;
  room.MakeTopic("orders");
  v1::CreateGroupRequest group;
  group.mutable_group()->set_name("billing");
  group.mutable_group()->add_topics("orders");
  REQUIRE_OK(room.groups.Create(Caller{"test"}, group));
  const auto channel = room.Connect();
  const auto claims = v1::Claims::NewStub(channel);
  const auto ask = [&claims](int number) {
    v1::ClaimRequest request;
    request.set_group("billing");
    request.set_key("key-" + std::to_string(number));
    v1::ClaimResponse response;
    TestContext context;
    return claims->Claim(&context, request, &response);
  };
  const int most = RpcLimits().max_claim_calls;
  CHECK(most == 12);
  room.engine.HoldDone();
  std::atomic<int> first{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < most; ++i) {
    callers.emplace_back([&, i] { first += ask(i).ok() ? 1 : 0; });
  }
  const bool all_wait = WaitUntil([&] { return room.engine.held() == static_cast<size_t>(most); });
  const grpc::Status refused = ask(most);
  v1::ListTopicsResponse topics;
  TestContext context;
  const bool others = v1::Topics::NewStub(channel)->ListTopics(&context, {}, &topics).ok();
  room.engine.ReleaseDone();
  for (std::thread& caller : callers) caller.join();
  CHECK(all_wait);
  CHECK(refused.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(Reason(refused) == v1::CLAIM_QUEUE_FULL);
  CHECK(RetryAfterOf(FromGrpc(refused)) > absl::ZeroDuration());
  CHECK(DetailsOf(FromGrpc(refused)).at("limit") == "max_claim_calls");
  CHECK(DetailsOf(FromGrpc(refused)).at("limit_value") == "12");
  CHECK(others);
  CHECK(first == most);
  CHECK(ask(most).ok());
}

// Goal: who finds all threads waiting is told so, and operators come in. Method: core keeps as many
// calls as may be.
TEST_CASE("above 15 calls at once are refused with a delay, those of Admin go on", "[rpc]") {
  RpcRoom room;
  const auto channel = room.Connect();
  const auto letters = v1::DeadLetters::NewStub(channel);
  const auto list = [topics = v1::Topics::NewStub(channel)] {
    v1::ListTopicsResponse response;
    TestContext context;
    return topics->ListTopics(&context, {}, &response);
  };
  const int most = RpcLimits().max_cold_calls;
  CHECK(most == 15);
  room.hold_edits = true;
  std::atomic<int> done{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < most; ++i) {
    callers.emplace_back([&] {
      v1::EditDeadLetterResponse response;
      TestContext context;
      done += letters->EditDeadLetter(&context, {}, &response).ok() ? 1 : 0;
    });
  }
  const bool all_wait = WaitUntil([&] { return room.subscribe_calls == most; });
  const grpc::Status refused = list();
  v1::GetServerResponse server;
  TestContext context;
  const bool admin = v1::Admin::NewStub(channel)->GetServer(&context, {}, &server).ok();
  room.hold_edits = false;
  for (std::thread& caller : callers) caller.join();
  CHECK(all_wait);
  CHECK(refused.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(Reason(refused) == v1::CALL_QUEUE_FULL);
  CHECK(RetryAfterOf(FromGrpc(refused)) > absl::ZeroDuration());
  CHECK(DetailsOf(FromGrpc(refused)).at("limit") == "max_cold_calls");
  CHECK(DetailsOf(FromGrpc(refused)).at("limit_value") == "15");
  CHECK(room.rejections.count(v1::CALL_QUEUE_FULL) == 1);
  CHECK(admin);
  CHECK(done == most);
  CHECK(list().ok());
}

TEST_CASE("admin answers what core says", "[rpc]") {
  RpcRoom room;
  v1::GetServerResponse response;
  TestContext context;
  REQUIRE(v1::Admin::NewStub(room.Connect())->GetServer(&context, {}, &response).ok());
  CHECK(response.version() == "1.2.3");
  CHECK(room.admin_calls == 1);
}

TEST_CASE("an error that has no reason is told as an incident, without its text", "[rpc]") {
  RpcRoom room;
  v1::ScrubResponse response;
  TestContext context;
  const grpc::Status status = v1::Admin::NewStub(room.Connect())->Scrub(&context, {}, &response);
  CHECK(status.error_code() == grpc::StatusCode::INTERNAL);
  CHECK(Reason(status) == v1::INTERNAL);
  CHECK_THAT(status.error_message(), !Catch::Contains("secret"));
  CHECK(DetailsOf(FromGrpc(status)).count("incident") == 1);
  CHECK(room.rejections.count(v1::INTERNAL) == 1);
}

}  // namespace
}  // namespace acta
