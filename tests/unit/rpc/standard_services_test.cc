#include <catch2/catch.hpp>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "tests/unit/rpc/rpc_room.h"

namespace acta {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using grpc::reflection::v1alpha::ServerReflection;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;

TEST_CASE("health tells of the server and of each service", "[rpc]") {
  RpcRoom room;
  const auto health = Health::NewStub(room.Connect());
  HealthCheckRequest request;
  HealthCheckResponse response;
  for (const char* service : {"", "acta.v1.Publisher", "grpc.health.v1.Health"}) {
    request.set_service(service);
    TestContext context;
    REQUIRE(health->Check(&context, request, &response).ok());
    CHECK(response.status() == HealthCheckResponse::SERVING);
  }
  room.server->SetServing(false);
  TestContext not_ready;
  REQUIRE(health->Check(&not_ready, request, &response).ok());
  CHECK(response.status() == HealthCheckResponse::NOT_SERVING);
  request.set_service("acta.v9.Nothing");
  TestContext unknown;
  CHECK(health->Check(&unknown, request, &response).error_code() == grpc::StatusCode::NOT_FOUND);
}

TEST_CASE("health of a service with a long name is unknown, and nothing of the name is kept",
          "[rpc]") {
  RpcRoom room;
  const auto health = Health::NewStub(room.Connect());
  HealthCheckResponse response;
  {
    HealthCheckRequest request;
    request.set_service(std::string(100'000, 'x'));
    TestContext context;
    const grpc::Status status = health->Check(&context, request, &response);
    CHECK(status.error_code() == grpc::StatusCode::NOT_FOUND);
    CHECK(status.error_message() == "no service '" + std::string(249, 'x') + "'");
  }
  const int64_t before = HeapBytes();
  TestContext contexts[kOfOneConnection];
  std::vector<std::unique_ptr<grpc::ClientReader<HealthCheckResponse>>> watches;
  for (TestContext& context : contexts) {
    HealthCheckRequest request;
    request.set_service(LargeText());
    watches.push_back(health->Watch(&context, request));
    REQUIRE(watches.back()->Read(&response));
    CHECK(response.status() == HealthCheckResponse::SERVICE_UNKNOWN);
  }
  CHECK(WaitUntil([&] { return HeapBytes() < before + kHeldByNobody; }));
}

TEST_CASE("whoever watches the health hears of each change and of the stop", "[rpc]") {
  RpcRoom room;
  const auto health = Health::NewStub(room.Connect());
  TestContext context;
  const auto watch = health->Watch(&context, HealthCheckRequest());
  HealthCheckResponse response;
  REQUIRE(watch->Read(&response));
  CHECK(response.status() == HealthCheckResponse::SERVING);
  room.server->SetServing(false);
  REQUIRE(watch->Read(&response));
  CHECK(response.status() == HealthCheckResponse::NOT_SERVING);
  room.server->SetServing(true);
  REQUIRE(watch->Read(&response));
  CHECK(response.status() == HealthCheckResponse::SERVING);
  room.server->RefuseCalls();
  REQUIRE(watch->Read(&response));
  CHECK(response.status() == HealthCheckResponse::NOT_SERVING);
  CHECK_FALSE(watch->Read(&response));
  CHECK(Reason(watch->Finish()) == v1::SERVER_STOPPING);
}

struct Reflection {
  explicit Reflection(RpcRoom& room)
      : stub(ServerReflection::NewStub(room.Connect())),
        stream(stub->ServerReflectionInfo(&context)) {}
  bool Ask() { return stream->Write(request) && stream->Read(&response); }

  TestContext context;
  std::unique_ptr<ServerReflection::Stub> stub;
  std::unique_ptr<grpc::ClientReaderWriter<ServerReflectionRequest, ServerReflectionResponse>>
      stream;
  ServerReflectionRequest request;
  ServerReflectionResponse response;
};

TEST_CASE("reflection lists the services and their files", "[rpc]") {
  RpcRoom room;
  Reflection reflection(room);
  ServerReflectionRequest& request = reflection.request;
  const ServerReflectionResponse& response = reflection.response;

  request.set_list_services("");
  REQUIRE(reflection.Ask());
  std::set<std::string> services;
  for (const auto& service : response.list_services_response().service()) {
    services.insert(service.name());
  }
  CHECK(services.size() == 11);
  CHECK(services.count("acta.v1.Topics") == 1);

  request.set_file_containing_symbol("acta.v1.Topics.CreateTopic");
  REQUIRE(reflection.Ask());
  std::set<std::string> files;
  for (const auto& bytes : response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    REQUIRE(file.ParseFromString(bytes));
    CHECK(files.insert(file.name()).second);
  }
  CHECK(files.count("acta/v1/topics.proto") == 1);
  CHECK(files.count("google/protobuf/duration.proto") == 1);

  request.mutable_file_containing_extension()->set_containing_type(
      "google.protobuf.EnumValueOptions");
  request.mutable_file_containing_extension()->set_extension_number(51234);
  REQUIRE(reflection.Ask());
  CHECK(response.file_descriptor_response().file_descriptor_proto_size() > 0);

  request.set_file_by_filename("no/such.proto");
  REQUIRE(reflection.Ask());
  CHECK(response.error_response().error_code() == grpc::StatusCode::NOT_FOUND);

  reflection.stream->WritesDone();
  CHECK_FALSE(reflection.stream->Read(&reflection.response));
  CHECK(reflection.stream->Finish().ok());
}

TEST_CASE("a question of reflection has at most 4 KiB", "[rpc]") {
  RpcRoom room;
  Reflection reflection(room);
  ServerReflectionRequest& request = reflection.request;
  const ServerReflectionResponse& response = reflection.response;
  request.set_file_by_filename(std::string(4096 - 3, 'x'));
  REQUIRE(request.ByteSizeLong() == 4096);
  REQUIRE(reflection.Ask());
  CHECK(response.error_response().error_code() == grpc::StatusCode::NOT_FOUND);
  request.mutable_file_by_filename()->push_back('x');
  REQUIRE(reflection.stream->Write(request));
  CHECK_FALSE(reflection.stream->Read(&reflection.response));
  CHECK(Reason(reflection.stream->Finish()) == v1::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace acta
