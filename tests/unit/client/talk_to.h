#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "client/cpp/delivery_frame.h"
#include "proto/support/error.h"
#include "tests/support/status_matchers.h"

namespace acta::client {

// The state with a broker's words for it.
template <typename State>
class TalkTo {
 public:
  explicit TalkTo(const typename State::Options& options) : state(options) {}

  v1::SubscribeStart Open() {
    state.OnOpen();
    const auto control = state.TakeControl();
    REQUIRE(control.has_value());
    CHECK(control->frame_id() == 1);
    return control->start();
  }
  void Assign(uint64_t assignment, int32_t partition, int64_t offset) {
    v1::DeliveryFrame frame;
    v1::Assigned* assigned = frame.add_assigned();
    assigned->set_assignment(assignment);
    assigned->set_topic("t");
    assigned->set_partition(partition);
    assigned->set_offset(offset);
    assigned->set_incarnation(2);
    Hear(frame);
  }
  void Deliver(uint64_t assignment, int64_t offset, int count = 1) {
    v1::DeliveryFrame frame;
    v1::DeliveredBatch* batch = frame.add_batches();
    batch->set_assignment(assignment);
    batch->set_base_offset(offset);
    batch->set_incarnation(2);
    for (int i = 0; i < count; ++i) batch->add_events()->set_id("x");
    Hear(frame);
  }
  void Revoke(uint64_t assignment) {
    v1::DeliveryFrame frame;
    frame.add_revoking()->set_assignment(assignment);
    Hear(frame);
  }
  void Lose(uint64_t assignment) {
    v1::DeliveryFrame frame;
    frame.add_revoked()->set_assignment(assignment);
    Hear(frame);
  }
  void Gap(uint64_t assignment) {
    v1::DeliveryFrame frame;
    frame.add_gap()->set_assignment(assignment);
    *frame.mutable_gap(0)->mutable_status() = ToProto(Error(v1::GAP, "gone"));
    Hear(frame);
  }
  void Ack(uint64_t through, uint64_t failed = 0) {
    v1::DeliveryFrame frame;
    frame.set_acked_through(through);
    if (failed != 0) {
      frame.add_errors()->set_frame_id(failed);
      *frame.mutable_errors(0)->mutable_status() = ToProto(Error(v1::FENCED, "fenced"));
    }
    Hear(frame);
  }
  void Note(const std::string& code, const std::string& text, uint64_t assignment = 0) {
    v1::DeliveryFrame frame;
    frame.add_notice()->set_code(code);
    frame.mutable_notice(0)->set_text(text);
    frame.mutable_notice(0)->set_assignment(assignment);
    Hear(frame);
  }
  void Hear(const v1::DeliveryFrame& frame) {
    const auto bytes = std::make_shared<const std::string>(frame.SerializeAsString());
    absl::StatusOr<DeliveryFrame> parsed = DeliveryFrameReader::Read(bytes, *bytes);
    REQUIRE_OK(parsed);
    state.OnFrame(*std::move(parsed));
  }

  // The offset of the delivery that comes next; -1: something else, or nothing.
  int64_t NextOffset() {
    const auto item = state.Pop();
    const auto* delivery = item.has_value() ? std::get_if<Delivery>(&*item) : nullptr;
    return delivery == nullptr ? -1 : delivery->base_offset();
  }
  template <typename Kind>
  Kind NextItem() {
    auto item = state.Pop();
    REQUIRE(item.has_value());
    REQUIRE(std::holds_alternative<Kind>(*item));
    return std::get<Kind>(*std::move(item));
  }
  v1::SubscribeControl NextControl() {
    const auto control = state.TakeControl();
    REQUIRE(control.has_value());
    return *control;
  }

  State state;
};

}  // namespace acta::client
