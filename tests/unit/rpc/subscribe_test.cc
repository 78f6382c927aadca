#include <catch2/catch.hpp>

#include <memory>
#include <string>

#include "acta/v1/subscriber.grpc.pb.h"
#include "tests/unit/rpc/rpc_room.h"

namespace acta {
namespace {

using Stream = grpc::ClientReaderWriter<v1::SubscribeControl, v1::DeliveryFrame>;

v1::SubscribeControl Tick(uint64_t frame_id) {
  v1::SubscribeControl control;
  control.set_frame_id(frame_id);
  control.mutable_tick();
  return control;
}

OutgoingFrame Frame(const std::string& data) {
  v1::DeliveredBatch events;
  events.add_events()->set_data(data);
  OutgoingFrame frame;
  frame.control.set_acked_through(4);
  frame.batches.emplace_back();
  frame.batches[0].assignment = 1;
  frame.batches[0].payload = SharedBytes(events.SerializeAsString());
  return frame;
}

TEST_CASE("control frames reach core and deliveries the client", "[rpc]") {
  RpcRoom room;
  const auto stub = v1::Subscriber::NewStub(room.Connect());
  TestContext context;
  const std::unique_ptr<Stream> stream = stub->Subscribe(&context);
  REQUIRE(stream->Write(Tick(1)));
  const auto subscription = room.WaitForSubscription();
  REQUIRE(subscription->WaitFor(1));
  CHECK(subscription->told()[0] == "control " + Tick(1).SerializeAsString());
  CHECK(room.server->counts().subscriptions == 1);

  v1::DeliveryFrame frame;
  for (const std::string& data : {std::string("small"), std::string(200'000, 'x')}) {
    const size_t before = subscription->told().size();
    subscription->sink.Send(Frame(data));
    REQUIRE(stream->Read(&frame));
    CHECK(frame.acked_through() == 4);
    REQUIRE(frame.batches_size() == 1);
    CHECK(frame.batches(0).events(0).data() == data);
    REQUIRE(subscription->WaitFor(before + 1));
    CHECK(subscription->told().back() == "written");
  }
  subscription->sink.Finish(Error(v1::MEMBER_REPLACED, "another has the name"));
  CHECK_FALSE(stream->Read(&frame));
  CHECK(Reason(stream->Finish()) == v1::MEMBER_REPLACED);
  CHECK(WaitUntil([&] { return room.server->counts().subscriptions == 0; }));
  CHECK(subscription->told().size() == 3);  // A stream it finished is not told as broken.
  CHECK(room.rejections.count(v1::MEMBER_REPLACED) == 1);
}

TEST_CASE("a half-close is told, and drains", "[rpc]") {
  RpcRoom room;
  const auto stub = v1::Subscriber::NewStub(room.Connect());
  TestContext context;
  const std::unique_ptr<Stream> stream = stub->Subscribe(&context);
  REQUIRE(stream->WritesDone());
  const auto subscription = room.WaitForSubscription();
  REQUIRE(subscription->WaitFor(1));
  CHECK(subscription->told() == std::vector<std::string>{"half-close"});
  subscription->sink.Send(Frame("last"));
  v1::DeliveryFrame frame;
  REQUIRE(stream->Read(&frame));
  REQUIRE(subscription->WaitFor(2));
  subscription->sink.Finish(absl::OkStatus());
  CHECK_FALSE(stream->Read(&frame));
  CHECK(stream->Finish().ok());
}

// A clean leave gives up a member's place, a break keeps it: they must not be mixed up.
TEST_CASE("a broken stream is never told as a half-close", "[rpc]") {
  RpcRoom room;
  for (int round = 0; round < 50; ++round) {
    const auto stub = v1::Subscriber::NewStub(room.Connect());
    const auto before = room.subscription();
    TestContext context;
    const std::unique_ptr<Stream> stream = stub->Subscribe(&context);
    REQUIRE(stream->Write(Tick(1)));
    REQUIRE(WaitUntil([&] { return room.subscription() != before; }));
    const auto subscription = room.subscription();
    context.TryCancel();
    CHECK(stream->Finish().error_code() == grpc::StatusCode::CANCELLED);
    REQUIRE(WaitUntil([&] { return room.server->counts().subscriptions == 0; }));
    REQUIRE_FALSE(subscription->told().empty());
    CHECK(subscription->told().back() == "disconnect");
    for (const std::string& told : subscription->told()) CHECK(told != "half-close");
  }
}

TEST_CASE("a client that goes after its half-close is told as gone", "[rpc]") {
  RpcRoom room;
  const auto stub = v1::Subscriber::NewStub(room.Connect());
  TestContext context;
  const std::unique_ptr<Stream> stream = stub->Subscribe(&context);
  REQUIRE(stream->WritesDone());
  const auto subscription = room.WaitForSubscription();
  REQUIRE(subscription->WaitFor(1));
  context.TryCancel();
  CHECK(stream->Finish().error_code() == grpc::StatusCode::CANCELLED);
  REQUIRE(subscription->WaitFor(2));
  CHECK(subscription->told() == std::vector<std::string>{"half-close", "disconnect"});
}

TEST_CASE("failed control frames are counted", "[rpc]") {
  RpcRoom room;
  const auto stub = v1::Subscriber::NewStub(room.Connect());
  TestContext context;
  const std::unique_ptr<Stream> stream = stub->Subscribe(&context);
  const auto subscription = room.WaitForSubscription();
  OutgoingFrame refusal;
  *refusal.control.add_errors()->mutable_status() = ToProto(Error(v1::FENCED, "stale"));
  subscription->sink.Send(std::move(refusal));
  v1::DeliveryFrame frame;
  REQUIRE(stream->Read(&frame));
  CHECK(room.rejections.count(v1::FENCED) == 1);
}

}  // namespace
}  // namespace acta
