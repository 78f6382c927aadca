#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/slice.h>
#include <catch2/catch.hpp>

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "acta/v1/subscriber.grpc.pb.h"
#include "proto/support/wire.h"
#include "server/rpc/caller.h"
#include "storage/base/clock.h"
#include "tests/unit/rpc/rpc_room.h"

namespace acta {
namespace {

// One event, and what it takes of the budget.
FetchedPage PageOf(const std::string& data, const std::shared_ptr<ByteBudget>& budget) {
  v1::DeliveredBatch events;
  events.add_events()->set_data(data);
  FetchedPage page;
  page.header.set_end_offset(12);
  page.batches.emplace_back();
  page.batches[0].base_offset = Offset(11);
  page.batches[0].payload = SharedBytes(events.SerializeAsString());
  page.lease = budget->Take(static_cast<int64_t>(data.size())).value();
  return page;
}

TEST_CASE("a page is answered when core has it", "[rpc]") {
  RpcRoom room;
  const auto budget = std::make_shared<ByteBudget>(100);
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
    room.fetch(PageOf("hello", budget));
  }
  client.join();
  REQUIRE(asked);
  REQUIRE(status.ok());
  CHECK(response.end_offset() == 12);
  REQUIRE(response.batches_size() == 1);
  CHECK(response.batches(0).base_offset() == 11);
  CHECK(response.batches(0).events(0).data() == "hello");
  CHECK(WaitUntil([&] { return budget->used() == 0; }));
}

TEST_CASE("a page that comes after its caller went is dropped", "[rpc]") {
  RpcRoom room;
  v1::FetchRequest request;
  request.set_topic("orders");
  const auto stub = v1::Subscriber::NewStub(room.Connect());
  // Until it was there before its deadline passed.
  for (absl::Duration limit = absl::Milliseconds(200);
       room.subscribe_calls == 0 && limit < kPatience; limit *= 2) {
    v1::FetchResponse response;
    TestContext context(limit);
    CHECK(stub->Fetch(&context, request, &response).error_code() ==
          grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  room.server.reset();
  REQUIRE(room.subscribe_calls > 0);
  room.fetch(FetchedPage());
}

// A call whose messages are sent and read one by one.
struct RawFetch {
  explicit RawFetch(std::shared_ptr<grpc::Channel> connection)
      : stub(std::move(connection)),
        call(stub.PrepareCall(&context, "/acta.v1.Subscriber/Fetch", &queue)) {
    call->StartCall(nullptr);
    REQUIRE(Await());
  }
  bool Await() {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  }
  void Ask(const grpc::Slice& request) {
    call->WriteLast(grpc::ByteBuffer(&request, 1), grpc::WriteOptions(), nullptr);
    REQUIRE(Await());
  }
  grpc::Status Finish() {
    grpc::Status status;
    call->Finish(&status, nullptr);
    Await();
    return status;
  }

  TestContext context;
  grpc::CompletionQueue queue;
  grpc::GenericStub stub;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call;
};

// As it may be sent: with a field that nobody knows.
grpc::Slice LargeRequest() {
  const std::string unknown = LargeText();
  std::string request;
  AppendVarint(WireTag(1000, kWireBytes), &request);
  AppendVarint(unknown.size(), &request);
  request += unknown;
  return grpc::Slice(request);
}

TEST_CASE("a call that waits does not hold its request", "[rpc]") {
  RpcRoom room;
  const auto connection = room.Connect();
  std::deque<RawFetch> fetches;
  for (int i = 0; i < kOfOneConnection; ++i) fetches.emplace_back(connection);
  const int64_t before = HeapBytes();
  for (RawFetch& fetch : fetches) {
    const int asked = room.subscribe_calls;
    fetch.Ask(LargeRequest());
    REQUIRE(WaitUntil([&] { return room.subscribe_calls == asked + 1; }));
  }
  CHECK(WaitUntil([&] { return HeapBytes() < before + kHeldByNobody; }));
  CHECK(room.fetches_over == 0);  // They still wait.
  for (RawFetch& fetch : fetches) {
    fetch.context.TryCancel();
    fetch.Finish();
  }
}

TEST_CASE("a call without a deadline has 30 s", "[rpc]") {
  RpcRoom room;
  const auto channel = room.Connect();
  grpc::ClientContext context;
  std::thread client([&] {
    v1::FetchResponse response;
    v1::Subscriber::NewStub(channel)->Fetch(&context, v1::FetchRequest(), &response);
  });
  const bool asked = WaitUntil([&] { return room.subscribe_calls == 1; });
  const absl::Duration left = room.authorizer.last().deadline - SystemClock().SinceBoot();
  context.TryCancel();
  client.join();
  REQUIRE(asked);
  CHECK(left <= absl::Seconds(30));
  CHECK(left > absl::Seconds(30) - kPatience);
}

TEST_CASE("a deadline in centuries is not one that has passed", "[rpc]") {
  const absl::Duration begun = SystemClock().SinceBoot();
  for (const gpr_clock_type clock : {GPR_CLOCK_MONOTONIC, GPR_CLOCK_REALTIME}) {
    CHECK(TimeOfDeadline(gpr_inf_future(clock)) == absl::InfiniteDuration());
    // What Go sends for its longest duration.
    const auto in_hours = [clock](int64_t hours) {
      return TimeOfDeadline(gpr_time_add(gpr_now(clock), gpr_time_from_hours(hours, GPR_TIMESPAN)));
    };
    CHECK(in_hours(2'562'047) >= begun + absl::Hours(2'562'046));
    CHECK(in_hours(1) >= begun + absl::Minutes(59));
    CHECK(in_hours(1) <= begun + absl::Minutes(61));
    CHECK(in_hours(-1) < begun);
  }
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

TEST_CASE("a page that its client does not take is cut and gives its bytes back", "[rpc]") {
  RpcLimits limits;
  limits.answer_timeout = absl::Milliseconds(200);
  RpcRoom room(limits);
  const auto budget = std::make_shared<ByteBudget>(int64_t{64} << 20);
  RawFetch fetch(room.Connect());
  fetch.Ask(grpc::Slice());
  REQUIRE(WaitUntil([&] { return room.subscribe_calls == 1; }));
  room.fetch(PageOf(std::string(32 << 20, 'x'), budget));
  // Nothing is read here: the window of the stream is full.
  CHECK(budget->used() == 32 << 20);
  CHECK(WaitUntil([&] { return budget->used() == 0; }));
  // What came of it is not the whole page.
  grpc::ByteBuffer incoming;
  fetch.call->Read(&incoming, nullptr);
  CHECK_FALSE(fetch.Await());
  CHECK(fetch.Finish().error_code() == grpc::StatusCode::CANCELLED);
  CHECK(room.fetches_over == 1);
}

}  // namespace
}  // namespace acta
