#include <grpcpp/completion_queue.h>
#include <catch2/catch.hpp>

#include <memory>

#include "absl/cleanup/cleanup.h"
#include "acta/v1/admin.grpc.pb.h"
#include "acta/v1/subscriber.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/unit/rpc/rpc_room.h"

namespace acta {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckResponse;

// One that is sent when this is made.
class SettleCall {
 public:
  explicit SettleCall(v1::Subscriber::Stub& stub)
      : answer_(stub.AsyncSettle(&context_, v1::SettleRequest(), &queue_)) {
    answer_->Finish(&response_, &status_, this);
  }
  ~SettleCall() {
    queue_.Shutdown();
    while (Next()) {
    }
  }
  bool Succeeds() { return Next() && status_.ok(); }

 private:
  bool Next() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok);
  }

  TestContext context_;
  grpc::CompletionQueue queue_;
  v1::SettleResponse response_;
  grpc::Status status_;
  const std::unique_ptr<grpc::ClientAsyncResponseReader<v1::SettleResponse>> answer_;
};

HealthCheckResponse::ServingStatus HealthNow(Health::Stub& health) {
  TestContext context;
  HealthCheckResponse response;
  CHECK(health.Check(&context, {}, &response).ok());
  return response.status();
}

// Goal: a call that stands on the thread of its queue holds up neither health nor Admin, and what
// comes for that thread meanwhile is taken by it, when it goes on. Method: Settle stands in core.
// All calls are of one connection: they come to one queue, in the order in which they are sent.
TEST_CASE("health and Admin are answered while a call stands, others wait for it", "[rpc]") {
  RpcRoom room;
  const auto channel = room.Connect();
  const auto health = Health::NewStub(channel);
  const auto admin = v1::Admin::NewStub(channel);
  const auto subscriber = v1::Subscriber::NewStub(channel);
  CHECK(HealthNow(*health) == HealthCheckResponse::SERVING);
  for (const int settled : {0, 2}) {
    room.hold_settles = true;
    SettleCall stands(*subscriber);
    CHECK(WaitUntil([&] { return room.subscribe_calls == settled + 1; }));
    SettleCall waits(*subscriber);
    const absl::Cleanup release = [&room] { room.hold_settles = false; };  // Before they go.
    CHECK(HealthNow(*health) == HealthCheckResponse::SERVING);
    TestContext watching;
    HealthCheckResponse response;
    const auto watch = health->Watch(&watching, {});
    CHECK(watch->Read(&response));
    CHECK(response.status() == HealthCheckResponse::SERVING);
    v1::GetServerResponse server;
    TestContext context;
    CHECK(admin->GetServer(&context, {}, &server).ok());
    CHECK(room.subscribe_calls == settled + 1);
    room.hold_settles = false;
    CHECK(stands.Succeeds());
    CHECK(waits.Succeeds());
    CHECK(room.subscribe_calls == settled + 2);
  }
  CHECK(HealthNow(*health) == HealthCheckResponse::SERVING);
}

TEST_CASE("health says that a write of the log does not end, and when it has ended", "[rpc]") {
  RpcRoom room;
  const auto health = Health::NewStub(room.Connect());
  TestContext context;
  const auto watch = health->Watch(&context, {});
  HealthCheckResponse response;
  REQUIRE(watch->Read(&response));
  CHECK(response.status() == HealthCheckResponse::SERVING);
  // A sync alone holds up neither readers nor publishes at level OS.
  room.engine.SetUnderWay({kLogStalls, absl::Hours(1)});
  REQUIRE(watch->Read(&response));
  CHECK(response.status() == HealthCheckResponse::NOT_SERVING);
  CHECK(HealthNow(*health) == HealthCheckResponse::NOT_SERVING);
  room.engine.SetUnderWay({kLogStalls - absl::Milliseconds(1), absl::Hours(1)});
  REQUIRE(watch->Read(&response));
  CHECK(response.status() == HealthCheckResponse::SERVING);
  CHECK(HealthNow(*health) == HealthCheckResponse::SERVING);
}

}  // namespace
}  // namespace acta
