#include <catch2/catch.hpp>

#include <string>

#include "acta/v1/admin.grpc.pb.h"
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
