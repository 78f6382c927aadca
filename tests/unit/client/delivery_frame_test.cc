#include "client/cpp/delivery_frame.h"

#include <limits>
#include <string>

#include "proto/support/error.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/client/model_log.h"

namespace acta::client {
namespace {

absl::StatusOr<DeliveryFrame> Read(const std::string& bytes) {
  const auto owner = std::make_shared<const std::string>(bytes);
  return DeliveryFrameReader::Read(owner, *owner);
}

v1::DeliveryFrame OneBatch() {
  v1::DeliveryFrame frame;
  frame.set_acked_through(7);
  v1::DeliveredBatch* batch = frame.add_batches();
  batch->set_assignment(3);
  batch->set_base_offset(40);
  batch->set_append_time_us(5);
  v1::BatchContext context;
  context.set_app("shop");
  batch->set_context(context.SerializeAsString());
  batch->add_events()->set_id("a");
  batch->add_events()->set_id("b");
  return frame;
}

TEST_CASE("a frame is taken apart without touching the events", "[client]") {
  const DeliveryFrame frame = *Read(OneBatch().SerializeAsString());
  CHECK(frame.control.acked_through() == 7);
  CHECK(frame.control.batches_size() == 0);
  REQUIRE(frame.deliveries.size() == 1);
  const Delivery& delivery = frame.deliveries[0];
  CHECK(delivery.count() == 2);
  CHECK(delivery.OffsetOf(1) == 41);
  CHECK(delivery.next_offset() == 42);
  CHECK(delivery.append_time_us() == 5);
  CHECK(delivery.context().app() == "shop");
  const auto events = delivery.Parse();
  REQUIRE_OK(events);
  CHECK((*events)[1].id() == "b");
}

TEST_CASE("a delivery of no events can be asked", "[client]") {
  const Delivery none;
  CHECK(none.topic().empty());
  CHECK(none.partition() == -1);
  CHECK(none.count() == 0);
  CHECK(none.next_offset() == 0);
  CHECK(none.Parse()->empty());
}

TEST_CASE("offsets need not be contiguous", "[client]") {
  v1::DeliveryFrame frame = OneBatch();
  frame.mutable_batches(0)->add_offset_deltas(0);
  frame.mutable_batches(0)->add_offset_deltas(5);
  CHECK(Read(frame.SerializeAsString())->deliveries[0].OffsetOf(1) == 45);
  CHECK(Read(frame.SerializeAsString())->deliveries[0].next_offset() == 46);
  frame.mutable_batches(0)->add_offset_deltas(6);
  CHECK(ReasonOf(Read(frame.SerializeAsString()).status()) == v1::MALFORMED_MESSAGE);
}

TEST_CASE("impossible offsets are refused", "[client]") {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  v1::DeliveryFrame frame = OneBatch();
  for (const int64_t base : {int64_t{-1}, kMost - 1, kMost}) {
    frame.mutable_batches(0)->set_base_offset(base);
    CHECK(ReasonOf(Read(frame.SerializeAsString()).status()) == v1::MALFORMED_MESSAGE);
  }
  frame.mutable_batches(0)->set_base_offset(kMost - 2);
  CHECK(Read(frame.SerializeAsString())->deliveries[0].next_offset() == kMost);
  frame = OneBatch();
  frame.mutable_batches(0)->add_offset_deltas(5);
  frame.mutable_batches(0)->add_offset_deltas(5);
  CHECK(ReasonOf(Read(frame.SerializeAsString()).status()) == v1::MALFORMED_MESSAGE);
  frame.mutable_batches(0)->set_offset_deltas(0, -1);
  CHECK(ReasonOf(Read(frame.SerializeAsString()).status()) == v1::MALFORMED_MESSAGE);
}

TEST_CASE("events with other fields between them are gathered", "[client]") {
  v1::Event first;
  first.set_id("a");
  v1::Event second;
  second.set_id("b");
  const std::string batch = Element(first.SerializeAsString()) + std::string("\x10\x28") +
                            Element(second.SerializeAsString());
  const std::string bytes = std::string("\x0a") + static_cast<char>(batch.size()) + batch;
  const auto frame = Read(bytes);
  REQUIRE_OK(frame);
  CHECK(frame->deliveries[0].base_offset() == 40);
  const auto events = frame->deliveries[0].Parse();
  REQUIRE_OK(events);
  CHECK((*events)[0].id() == "a");
  CHECK((*events)[1].id() == "b");
}

TEST_CASE("a cut frame is malformed", "[client]") {
  const std::string bytes = OneBatch().SerializeAsString();
  for (size_t size = 1; size < bytes.size(); ++size) {
    INFO(size);
    // Cut between the batch and the rest it is a whole frame.
    const auto frame = Read(bytes.substr(0, size));
    if (!frame.ok()) CHECK(ReasonOf(frame.status()) == v1::MALFORMED_MESSAGE);
    if (frame.ok()) CHECK(frame->deliveries.size() == 1);
  }
  v1::DeliveryFrame empty;
  empty.add_batches()->set_assignment(1);
  CHECK(ReasonOf(Read(empty.SerializeAsString()).status()) == v1::MALFORMED_MESSAGE);
}

TEST_CASE("what caused events is filled in where they do not say it themselves", "[client]") {
  v1::BatchContext context;
  context.set_correlation_id("visit-3");
  context.set_causation_id("order-7");
  v1::Event event;
  SECTION("they say nothing") {
    FillFromContext(context, &event);
    CHECK(event.correlation_id() == "visit-3");
    CHECK(event.causation_id() == "order-7");
  }
  SECTION("they say their journey") {
    event.set_correlation_id("return-1");
    FillFromContext(context, &event);
    CHECK(event.correlation_id() == "return-1");
    CHECK(event.causation_id() == "order-7");
  }
  SECTION("they say their cause") {
    event.set_causation_id("payment-2");
    FillFromContext(context, &event);
    CHECK(event.correlation_id() == "visit-3");
    CHECK(event.causation_id() == "payment-2");
  }
}

}  // namespace
}  // namespace acta::client
