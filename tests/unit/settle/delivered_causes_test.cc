#include <catch2/catch.hpp>

#include "tests/unit/settle/step_room.h"

namespace acta {
namespace {

// What a publish of a bill that this event caused is refused for; ERROR_REASON_UNSPECIFIED: it is
// stored.
v1::ErrorReason PublishBill(StepRoom& room, const std::string& token, int64_t offset,
                            const v1::Event& bill = v1::Event()) {
  v1::PublishFrame frame;
  v1::PartitionBatch* batch = frame.add_batches();
  batch->set_topic("bills");
  batch->mutable_caused_by()->set_delivery_token(token);
  batch->mutable_caused_by()->set_offset(offset);
  *batch->add_events() = bill;
  PublishSession session(room.publish, room.caller, /*stream=*/false);
  v1::FrameResult answer;
  REQUIRE_OK(PublishWhole(session, SharedBytes(frame.SerializeAsString()),
                          [&](v1::FrameResult result) { answer = std::move(result); }));
  room.Run();
  return answer.batches(0).error().reason();
}

v1::Event Order() {
  v1::Event order;
  order.set_id("order-7");
  order.set_source("shop");
  return order;
}

}  // namespace

TEST_CASE("what is published by itself says what caused it", "[step]") {
  StepRoom room;
  v1::Event order = Order();
  SECTION("an event that begins a journey") {}
  SECTION("an event of a journey") { order.set_correlation_id("visit-3"); }
  room.PublishEvent(order);
  Client& client = room.Work();
  const RecordingSink::Leased& leased = client.sink.leased[0];
  REQUIRE(PublishBill(room, leased.token, leased.offset) == v1::ERROR_REASON_UNSPECIFIED);
  const v1::BatchContext context = room.ContextOf(room.BillBatches()[0]);
  CHECK(context.causation_id() == "order-7");
  CHECK(context.correlation_id() ==
        (order.correlation_id().empty() ? "order-7" : order.correlation_id()));
  CHECK(context.causation_depth() == 1);
  CHECK(context.principal() == "alice");
  // Also once it is settled, and when the group was asked to forget the lease.
  REQUIRE_OK(room.Settle(room.Step(leased)));
  CHECK(PublishBill(room, leased.token, leased.offset) == v1::ERROR_REASON_UNSPECIFIED);
}

TEST_CASE("a cause that is none is refused, and nothing of the batch is stored", "[step]") {
  StepRoom room;
  room.PublishEvent(Order());
  Client& client = room.Work();
  const RecordingSink::Leased leased = client.sink.leased[0];
  CHECK(PublishBill(room, "x", 0) == v1::INVALID_DELIVERY_TOKEN);
  CHECK(PublishBill(room, leased.token, leased.offset + 1) == v1::INVALID_ARGUMENT);
  CHECK(PublishBill(room, leased.token, -1) == v1::INVALID_ARGUMENT);
  std::string forged = leased.token;
  forged[39] ^= 1;  // The offset.
  CHECK(PublishBill(room, forged, leased.offset + 1) == v1::INVALID_DELIVERY_TOKEN);
  v1::DeleteGroupRequest gone;
  gone.set_name("workers");
  gone.set_force(true);
  REQUIRE_OK(room.groups.Delete(room.caller, gone));
  CHECK(PublishBill(room, leased.token, leased.offset) == v1::GROUP_NOT_FOUND);
  CHECK(room.BillBatches().empty());
}

TEST_CASE("a cause that a power cut took is refused, and not what came to its place", "[step]") {
  const bool cut = GENERATE(false, true);
  StepRoom room;
  room.PublishEvent(Order());
  Client& client = room.Work();
  const RecordingSink::Leased leased = client.sink.leased[0];
  std::unique_ptr<MemoryLogEngine> left = room.engine.Restart();
  left->LoseTail(room.Id(0), Offset(cut ? 0 : 1));
  StepRoom next(std::move(left));
  v1::Event other;
  other.set_id("order-8");
  next.PublishEvent(other);
  CHECK(PublishBill(next, leased.token, leased.offset) ==
        (cut ? v1::GAP : v1::ERROR_REASON_UNSPECIFIED));
  CHECK(next.BillBatches().empty() == cut);
}

TEST_CASE("a token of a former life names a cause to whoever may subscribe", "[step]") {
  StepRoom room;
  room.PublishEvent(Order());
  Client& client = room.Work();
  const RecordingSink::Leased& leased = client.sink.leased[0];
  std::string former = leased.token;
  former[0] ^= 1;  // The life.
  CHECK(PublishBill(room, former, leased.offset) == v1::ERROR_REASON_UNSPECIFIED);
  for (const char* const refused : {"orders", "workers"}) {
    room.authorizer.refused = refused;
    CHECK(PublishBill(room, leased.token, leased.offset) == v1::PERMISSION_DENIED);
    CHECK(PublishBill(room, former, leased.offset) == v1::INVALID_DELIVERY_TOKEN);
  }
  // As of one that was made up.
  room.authorizer.refused.clear();
  former[15] = '\x7f';  // The group.
  CHECK(PublishBill(room, former, leased.offset) == v1::INVALID_DELIVERY_TOKEN);
}

}  // namespace acta
