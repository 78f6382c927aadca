#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <thread>

#include "acta/v1/admin.grpc.pb.h"
#include "acta/v1/publisher.grpc.pb.h"
#include "acta/v1/subscriber.grpc.pb.h"
#include "acta/v1/topics.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "tests/unit/rpc/rpc_room.h"

namespace acta {
namespace {

v1::PublishFrame OneEvent(uint64_t frame_id) {
  v1::PublishFrame frame;
  frame.set_frame_id(frame_id);
  if (frame_id == 1) frame.mutable_open();
  frame.add_batches()->set_topic("orders");
  frame.mutable_batches(0)->add_events()->set_data("data");
  return frame;
}

TEST_CASE("a server that stops refuses new calls with a delay", "[rpc]") {
  RpcRoom room;
  room.MakeTopic("orders");
  const auto old_connection = room.Connect();
  v1::ListTopicsResponse topics;
  {
    TestContext context;
    REQUIRE(v1::Topics::NewStub(old_connection)->ListTopics(&context, {}, &topics).ok());
  }
  room.server->RefuseCalls();
  for (const auto& channel : {old_connection, room.Connect()}) {
    TestContext context;
    const absl::Status cold =
        FromGrpc(v1::Topics::NewStub(channel)->ListTopics(&context, {}, &topics));
    CHECK(ReasonOf(cold) == v1::SERVER_STOPPING);
    CHECK(RetryAfterOf(cold) > absl::ZeroDuration());
    TestContext second;
    v1::PublishResults results;
    CHECK(Reason(v1::Publisher::NewStub(channel)->Publish(&second, OneEvent(1), &results)) ==
          v1::SERVER_STOPPING);
    TestContext third;
    const auto subscribe = v1::Subscriber::NewStub(channel)->Subscribe(&third);
    CHECK(Reason(subscribe->Finish()) == v1::SERVER_STOPPING);
    TestContext fourth;
    grpc::health::v1::HealthCheckResponse health;
    REQUIRE(grpc::health::v1::Health::NewStub(channel)->Check(&fourth, {}, &health).ok());
    CHECK(health.status() == grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  }
  CHECK(room.subscribe_calls == 0);
  CHECK(room.engine.Stats().events_appended == 0);
}

TEST_CASE("a call that lasts hears of the stop", "[rpc]") {
  RpcRoom room;
  room.hold_scrubs = true;
  const auto admin = v1::Admin::NewStub(room.Connect());
  grpc::Status status;
  std::thread caller([&] {
    v1::ScrubResponse response;
    TestContext context;
    status = admin->Scrub(&context, {}, &response);
  });
  const bool under_way = WaitUntil([&] { return room.admin_calls == 1; });
  room.server->RefuseCalls();
  caller.join();
  room.hold_scrubs = false;
  CHECK(under_way);
  CHECK(Reason(status) == v1::SERVER_STOPPING);
}

TEST_CASE("a stop waits for publishes that are under way", "[rpc]") {
  RpcRoom room;
  room.MakeTopic("orders");
  room.engine.HoldDone();
  const auto stub = v1::Publisher::NewStub(room.Connect());
  TestContext context;
  const auto stream = stub->PublishStream(&context);
  REQUIRE(stream->Write(OneEvent(1)));
  REQUIRE(WaitUntil([&] { return room.engine.held() == 1; }));
  v1::PublishResults unary_results;
  grpc::Status unary_status;
  std::thread unary([&, channel = room.Connect()] {
    TestContext own;
    unary_status = v1::Publisher::NewStub(channel)->Publish(&own, OneEvent(1), &unary_results);
  });
  const bool both = WaitUntil([&] { return room.engine.held() == 2; });
  std::thread stop([&] { room.server->Stop(kPatience); });
  // The refusal of new calls tells that the stop has begun.
  v1::PublishResults results;
  const bool stopping = WaitUntil([&] {
    TestContext probe;
    grpc::health::v1::HealthCheckResponse health;
    return !grpc::health::v1::Health::NewStub(room.Connect())->Check(&probe, {}, &health).ok() ||
           health.status() != grpc::health::v1::HealthCheckResponse::SERVING;
  });
  room.engine.ReleaseDone();
  unary.join();
  const bool answered = stream->Read(&results);
  const bool more = answered && stream->Read(&results);
  const grpc::Status status = stream->Finish();
  stop.join();
  CHECK(both);
  CHECK(stopping);
  CHECK(unary_status.ok());
  CHECK(unary_results.results_size() == 1);
  CHECK(answered);
  CHECK_FALSE(more);
  CHECK(Reason(status) == v1::SERVER_STOPPING);
}

TEST_CASE("a frame that comes after the stop is not taken", "[rpc]") {
  RpcRoom room;
  room.MakeTopic("orders");
  room.engine.HoldDone();
  const auto stub = v1::Publisher::NewStub(room.Connect());
  TestContext context;
  const auto stream = stub->PublishStream(&context);
  REQUIRE(stream->Write(OneEvent(1)));
  REQUIRE(WaitUntil([&] { return room.engine.held() == 1; }));
  room.server->RefuseCalls();
  REQUIRE(stream->Write(OneEvent(2)));
  room.engine.ReleaseDone();
  v1::PublishResults results;
  REQUIRE(stream->Read(&results));
  CHECK(results.results_size() == 1);
  CHECK_FALSE(stream->Read(&results));
  CHECK(Reason(stream->Finish()) == v1::SERVER_STOPPING);
  CHECK(room.engine.Stats().events_appended == 1);
}

TEST_CASE("what is open when the grace is over is cut, and core hears of it", "[rpc]") {
  RpcRoom room;
  room.MakeTopic("orders");
  const auto channel = room.Connect();
  const auto publisher = v1::Publisher::NewStub(channel);
  const auto subscriber = v1::Subscriber::NewStub(channel);
  const auto health = grpc::health::v1::Health::NewStub(channel);
  const auto reflection = grpc::reflection::v1alpha::ServerReflection::NewStub(channel);
  TestContext contexts[4];
  const auto publish = publisher->PublishStream(&contexts[0]);
  const auto subscribe = subscriber->Subscribe(&contexts[1]);
  const auto watch = health->Watch(&contexts[2], {});
  const auto reflect = reflection->ServerReflectionInfo(&contexts[3]);
  room.engine.HoldDone();
  REQUIRE(publish->Write(OneEvent(1)));
  REQUIRE(WaitUntil([&] { return room.engine.held() == 1; }));
  const auto subscription = room.WaitForSubscription();
  grpc::health::v1::HealthCheckResponse response;
  REQUIRE(watch->Read(&response));
  grpc::reflection::v1alpha::ServerReflectionRequest question;
  grpc::reflection::v1alpha::ServerReflectionResponse answer;
  question.set_list_services("");
  REQUIRE(reflect->Write(question));
  REQUIRE(reflect->Read(&answer));

  room.server->Stop(absl::Milliseconds(100));
  REQUIRE_FALSE(subscription->told().empty());
  CHECK(subscription->told().back() == "disconnect");
  CHECK(room.server->counts().subscriptions == 0);
  CHECK(room.server->counts().publish_streams == 0);
  CHECK_FALSE(publish->Finish().ok());
  CHECK_FALSE(subscribe->Finish().ok());
  while (watch->Read(&response)) {
  }
  CHECK_FALSE(watch->Finish().ok());
  CHECK_FALSE(reflect->Finish().ok());
  room.server.reset();
  room.engine.ReleaseDone();
}

TEST_CASE("a subscription that ends itself ends the stop", "[rpc]") {
  RpcRoom room;
  const auto stub = v1::Subscriber::NewStub(room.Connect());
  TestContext context;
  const auto stream = stub->Subscribe(&context);
  const auto subscription = room.WaitForSubscription();
  room.server->RefuseCalls();
  subscription->sink.Finish(Error(v1::SERVER_STOPPING, "stopping"));
  room.server->Stop(absl::Hours(1));
  CHECK(Reason(stream->Finish()) == v1::SERVER_STOPPING);
}

// Goal: nothing is left behind or used after its end, whatever is under way. Method: clients call
// without pause while one server after the other is taken away from them.
TEST_CASE("servers come and go under load", "[rpc]") {
  for (int round = 0; round < 10; ++round) {
    RpcRoom room;
    room.MakeTopic("orders");
    std::atomic<bool> over{false};
    std::vector<std::thread> clients;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back([&, i, channel = room.Connect()] {
        const auto publisher = v1::Publisher::NewStub(channel);
        const auto topics = v1::Topics::NewStub(channel);
        while (!over) {
          TestContext context(absl::Seconds(1));
          v1::PublishResults results;
          v1::ListTopicsResponse listed;
          if (i % 2 == 0) (void)publisher->Publish(&context, OneEvent(1), &results);
          if (i % 2 == 1) (void)topics->ListTopics(&context, {}, &listed);
        }
      });
      clients.emplace_back([&, channel = room.Connect()] {
        const auto publisher = v1::Publisher::NewStub(channel);
        while (!over) {
          TestContext context(absl::Seconds(1));
          const auto stream = publisher->PublishStream(&context);
          v1::PublishResults results;
          for (uint64_t id = 1; id < 50 && stream->Write(OneEvent(id)); ++id) {
            if (!stream->Read(&results)) break;
          }
          if (round % 2 == 0) stream->WritesDone();
          if (round % 2 == 1) context.TryCancel();
          (void)stream->Finish();
        }
      });
    }
    const bool busy = WaitUntil([&] { return room.engine.Stats().events_appended > 500; });
    room.server->Stop(absl::Milliseconds(round % 3 * 20));
    room.server.reset();
    over = true;
    for (std::thread& client : clients) client.join();
    CHECK(busy);
  }
}

}  // namespace
}  // namespace acta
