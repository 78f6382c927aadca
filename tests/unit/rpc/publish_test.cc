#include <catch2/catch.hpp>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "acta/v1/publisher.grpc.pb.h"
#include "tests/unit/rpc/raw_call.h"
#include "tests/unit/rpc/rpc_room.h"

namespace acta {
namespace {

v1::PublishFrame OneEvent(const std::string& topic, const std::string& data = "data") {
  v1::PublishFrame frame;
  v1::PartitionBatch* batch = frame.add_batches();
  batch->set_topic(topic);
  batch->add_events()->set_data(data);
  return frame;
}

grpc::Status Publish(const RpcRoom& room, const v1::PublishFrame& frame,
                     v1::PublishResults* results, TestContext* context) {
  return v1::Publisher::NewStub(room.Connect())->Publish(context, frame, results);
}
grpc::Status Publish(const RpcRoom& room, const v1::PublishFrame& frame,
                     v1::PublishResults* results) {
  TestContext context;
  return Publish(room, frame, results, &context);
}

TEST_CASE("a published event has an offset", "[rpc]") {
  RpcRoom room;
  room.MakeTopic("orders");
  v1::PublishResults results;
  for (int i = 0; i < 3; ++i) {
    REQUIRE(Publish(room, OneEvent("orders"), &results).ok());
    REQUIRE(results.results_size() == 1);
    REQUIRE(results.results(0).batches_size() == 1);
    CHECK(results.results(0).batches(0).parts(0).base_offset() == i);
  }
  CHECK(room.authorizer.last().principal == "anonymous");
  CHECK_THAT(room.authorizer.last().peer, Catch::StartsWith("127.0.0.1:"));
}

TEST_CASE("what is wrong with a batch is in its result, and counted", "[rpc]") {
  RpcRoom room;
  v1::PublishResults results;
  REQUIRE(Publish(room, OneEvent("nowhere"), &results).ok());
  CHECK(results.results(0).batches(0).error().reason() == v1::TOPIC_NOT_FOUND);
  CHECK(room.rejections.count(v1::TOPIC_NOT_FOUND) == 1);
}

TEST_CASE("what is wrong with the frame is the status of the call, with its reason", "[rpc]") {
  RpcRoom room;
  v1::PublishResults results;
  const grpc::Status status = Publish(room, v1::PublishFrame(), &results);
  CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(Reason(status) == v1::EMPTY_PUBLISH);
  CHECK(room.rejections.count(v1::EMPTY_PUBLISH) == 1);
}

TEST_CASE("bytes that are no frame are refused with their reason", "[rpc]") {
  RpcRoom room;
  TestContext context;
  const RawAnswer answer =
      CallRaw(room.Connect(), "/acta.v1.Publisher/Publish", "\xff\xff\xff", &context);
  CHECK(Reason(answer.status) == v1::MALFORMED_MESSAGE);
  TestContext second;
  const RawAnswer page = CallRaw(room.Connect(), "/acta.v1.Subscriber/Fetch", "\xff\xff", &second);
  CHECK(Reason(page.status) == v1::MALFORMED_MESSAGE);
}

TEST_CASE("a refused transaction tells when to come back", "[rpc]") {
  RpcRoom room;
  room.MakeTopic("orders");
  room.engine.FailNextSubmit(
      ErrorRetryAfter(v1::PUBLISH_QUEUE_FULL, "full", absl::Milliseconds(250)));
  v1::PublishResults results;
  const absl::Status status = FromGrpc(Publish(room, OneEvent("orders"), &results));
  CHECK(ReasonOf(status) == v1::PUBLISH_QUEUE_FULL);
  CHECK(RetryAfterOf(status) == absl::Milliseconds(250));
}

TEST_CASE("a message above the limit is refused and the next call works", "[rpc]") {
  RpcLimits limits;
  limits.max_receive_bytes = 64 << 10;
  RpcRoom room(limits);
  room.MakeTopic("orders");
  v1::PublishResults results;
  CHECK(Publish(room, OneEvent("orders", std::string(100'000, 'x')), &results).error_code() ==
        grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(Publish(room, OneEvent("orders"), &results).ok());
}

TEST_CASE("metadata above the limit is refused and the next call works", "[rpc]") {
  RpcRoom room;
  room.MakeTopic("orders");
  v1::PublishResults results;
  TestContext context;
  context.AddMetadata("x-large", std::string(64 << 10, 'x'));
  CHECK_FALSE(Publish(room, OneEvent("orders"), &results, &context).ok());
  CHECK(Publish(room, OneEvent("orders"), &results).ok());
}

TEST_CASE("a compressed message is refused before it is unpacked", "[rpc]") {
  RpcRoom room;
  room.MakeTopic("orders");
  v1::PublishResults results;
  TestContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  const grpc::Status status =
      Publish(room, OneEvent("orders", std::string(10'000, 'x')), &results, &context);
  CHECK(status.error_code() == grpc::StatusCode::UNIMPLEMENTED);
  CHECK(room.topics.Find("default", "orders") != nullptr);
  CHECK(room.engine.Stats().events_appended == 0);
}

TEST_CASE("a call of a method that does not exist is refused", "[rpc]") {
  RpcRoom room;
  TestContext context;
  const RawAnswer answer = CallRaw(room.Connect(), "/acta.v1.Publisher/Unpublish", "", &context);
  CHECK(answer.status.error_code() == grpc::StatusCode::UNIMPLEMENTED);
}

TEST_CASE("a call whose deadline passes ends, and its result is dropped", "[rpc]") {
  RpcRoom room;
  room.MakeTopic("orders");
  room.engine.HoldDone();
  v1::PublishResults results;
  // Until it was there before its deadline passed.
  for (absl::Duration limit = absl::Milliseconds(200); room.engine.held() == 0 && limit < kPatience;
       limit *= 2) {
    TestContext context(limit);
    CHECK(Publish(room, OneEvent("orders"), &results, &context).error_code() ==
          grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  REQUIRE(room.engine.held() > 0);
  SECTION("while the server runs") {
    room.engine.ReleaseDone();
    CHECK(Publish(room, OneEvent("orders"), &results).ok());
  }
  SECTION("when the server is gone") {
    room.server.reset();
    room.engine.ReleaseDone();
    CHECK(room.engine.held() == 0);
  }
}

TEST_CASE("a unary publish with a cause is taken on the pool", "[rpc]") {
  RpcRoom room;
  room.MakeTopic("orders");
  v1::PublishFrame frame = OneEvent("orders");
  frame.mutable_batches(0)->mutable_caused_by()->set_delivery_token("none");
  v1::PublishResults results;
  grpc::Status status;
  std::thread caller([&] { status = Publish(room, frame, &results); });
  CHECK(WaitUntil([&] { return room.pool.pending() == 1; }));
  room.pool.RunAll();
  caller.join();
  REQUIRE(status.ok());
  CHECK(results.results(0).batches(0).error().reason() == v1::INVALID_DELIVERY_TOKEN);
}

TEST_CASE("unary publishes that wait for the pool have a limit of bytes together", "[rpc]") {
  v1::PublishFrame frame = OneEvent("orders");
  frame.mutable_batches(0)->mutable_caused_by()->set_delivery_token("none");
  RpcLimits limits;
  limits.max_waiting_publish_bytes = 2 * static_cast<int64_t>(frame.ByteSizeLong());
  RpcRoom room(limits);
  room.MakeTopic("orders");
  std::vector<std::thread> callers;
  std::atomic<int> answered = 0;
  for (int i = 0; i < 2; ++i) {
    callers.emplace_back([&] {
      v1::PublishResults results;
      if (Publish(room, frame, &results).ok()) ++answered;
    });
  }
  CHECK(WaitUntil([&] { return room.pool.pending() == 2; }));
  v1::PublishResults results;
  TestContext context;
  const grpc::Status refused = Publish(room, frame, &results, &context);
  CHECK(Reason(refused) == v1::PUBLISH_QUEUE_FULL);
  CHECK(DetailsOf(FromGrpc(refused))["limit"] == "max_waiting_publish_bytes");
  room.pool.RunAll();
  for (std::thread& caller : callers) caller.join();
  CHECK(answered == 2);
  // There is room again.
  std::thread again([&] {
    if (Publish(room, frame, &results).ok()) ++answered;
  });
  CHECK(WaitUntil([&] { return room.pool.pending() == 1; }));
  room.pool.RunAll();
  again.join();
  CHECK(answered == 3);
}

}  // namespace
}  // namespace acta
