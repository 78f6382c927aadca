#include <catch2/catch.hpp>

#include <string>

#include "acta/v1/publisher.grpc.pb.h"
#include "server/rpc/method_table.h"
#include "tests/unit/rpc/raw_call.h"
#include "tests/unit/rpc/rpc_room.h"

namespace acta {
namespace {

// Goal: no method forgets to ask. Method: everything is denied, every method is called with an
// empty request, and core is watched. Methods whose frames name what they want are asked about by
// core, frame by frame; what the edge reaches there are sessions, which the next test looks at.
TEST_CASE("whoever is denied everything is denied every method", "[rpc]") {
  RpcRoom room;
  room.authorizer.deny = true;
  const auto channel = room.Connect();
  int called = 0;
  for (const Method& method : Methods()) {
    if (method.naming == Naming::kInFrames) continue;
    INFO(method.name);
    TestContext context;
    const RawAnswer answer = CallRaw(channel, std::string(method.name), "", &context);
    CHECK(answer.status.error_code() == grpc::StatusCode::PERMISSION_DENIED);
    CHECK(Reason(answer.status) == v1::PERMISSION_DENIED);
    CHECK_FALSE(answer.answered);
    ++called;
  }
  CHECK(called >= 25);
  CHECK(room.rejections.count(v1::PERMISSION_DENIED) == called);
  CHECK(room.subscribe_calls == 0);
  CHECK(room.admin_calls == 0);
  CHECK(room.topics.topic_count() == 0);
  CHECK(room.engine.Stats().last_group == GroupNumber());
}

TEST_CASE("whoever is denied a topic publishes nothing to it", "[rpc]") {
  RpcRoom room;
  room.MakeTopic("orders");
  room.authorizer.deny = true;
  v1::PublishFrame frame;
  frame.set_frame_id(1);
  frame.mutable_open();
  v1::PartitionBatch* batch = frame.add_batches();
  batch->set_topic("orders");
  batch->add_events()->set_data("data");
  for (const char* method : {"Publish", "PublishStream"}) {
    TestContext context;
    const RawAnswer answer = CallRaw(room.Connect(), std::string("/acta.v1.Publisher/") + method,
                                     frame.SerializeAsString(), &context);
    INFO(method);
    CHECK(answer.status.ok());
    v1::PublishResults results;
    REQUIRE(results.ParseFromString(answer.message));
    REQUIRE(results.results_size() == 1);
    CHECK(results.results(0).batches(0).error().reason() == v1::PERMISSION_DENIED);
  }
  CHECK(room.engine.Stats().events_appended == 0);
}

}  // namespace
}  // namespace acta
