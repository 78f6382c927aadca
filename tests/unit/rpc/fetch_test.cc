#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <thread>

#include "acta/v1/subscriber.grpc.pb.h"
#include "tests/unit/rpc/rpc_room.h"

namespace acta {
namespace {

TEST_CASE("a page is answered when core has it", "[rpc]") {
  RpcRoom room;
  const auto channel = room.Connect();
  v1::FetchResponse response;
  grpc::Status status;
  std::thread client([&] {
    TestContext context;
    v1::FetchRequest request;
    request.set_topic("orders");
    status = v1::Subscriber::NewStub(channel)->Fetch(&context, request, &response);
  });
  const bool asked = WaitUntil([&] { return room.subscribe_calls == 1; });
  if (asked) {
    v1::FetchResponse head;
    head.set_end_offset(12);
    v1::DeliveredBatch events;
    events.add_events()->set_data("hello");
    OutgoingBatch batch;
    batch.base_offset = Offset(11);
    batch.payload = SharedBytes(events.SerializeAsString());
    room.fetch(absl::OkStatus(), head, {batch});
  }
  client.join();
  REQUIRE(asked);
  REQUIRE(status.ok());
  CHECK(response.end_offset() == 12);
  REQUIRE(response.batches_size() == 1);
  CHECK(response.batches(0).base_offset() == 11);
  CHECK(response.batches(0).events(0).data() == "hello");
}

TEST_CASE("a page that comes after its caller went is dropped", "[rpc]") {
  RpcRoom room;
  v1::FetchRequest request;
  request.set_topic("orders");
  v1::FetchResponse response;
  TestContext context(absl::Milliseconds(200));
  CHECK(v1::Subscriber::NewStub(room.Connect())->Fetch(&context, request, &response).error_code() ==
        grpc::StatusCode::DEADLINE_EXCEEDED);
  room.server.reset();
  REQUIRE(room.subscribe_calls == 1);
  room.fetch(absl::OkStatus(), v1::FetchResponse(), {});
}

TEST_CASE("core hears when the client of a page has gone", "[rpc]") {
  RpcRoom room;
  const auto channel = room.Connect();
  TestContext context;
  grpc::Status status;
  std::thread client([&] {
    v1::FetchResponse response;
    status = v1::Subscriber::NewStub(channel)->Fetch(&context, v1::FetchRequest(), &response);
  });
  const bool asked = WaitUntil([&] { return room.subscribe_calls == 1; });
  const int over = room.fetches_over;
  context.TryCancel();
  client.join();
  REQUIRE(asked);
  CHECK(over == 0);
  CHECK(status.error_code() == grpc::StatusCode::CANCELLED);
  CHECK(WaitUntil([&] { return room.fetches_over == 1; }));
}

}  // namespace
}  // namespace acta
