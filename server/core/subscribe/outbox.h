#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "acta/v1/subscriber.pb.h"
#include "storage/base/ids.h"

namespace acta {

// Everything but events that waits to be sent on a stream, in order.
class Outbox {
 public:
  void Assigned(const v1::Assigned& assigned);
  void Revoking(uint64_t assignment, absl::Duration deadline);
  void Revoked(uint64_t assignment);
  void Gap(uint64_t assignment, Offset first_lost, Offset last_lost, const absl::Status& status);
  void Error(uint64_t frame_id, const absl::Status& status);
  void Error(v1::ControlError error);
  void Notice(absl::string_view code, absl::string_view text, uint64_t assignment = 0);
  void GoingAway(absl::Duration retry_after);
  // All frames up to this one are settled. `quiet`: it may wait for something else to be sent.
  void Ack(uint64_t frame_id, bool quiet);

  // Nothing has to be sent.
  bool empty() const { return pieces_.empty(); }
  // Errors and notices that wait: what a client makes by sending and not reading.
  size_t answers() const { return answers_; }
  // Fills the frame with as much as fits in about `max_bytes`, at least one piece, and with how
  // far frames are settled. What does not fit waits for the next frame.
  void Take(size_t max_bytes, v1::DeliveryFrame* frame);

 private:
  v1::DeliveryFrame& Add() { return pieces_.emplace_back(); }

  std::deque<v1::DeliveryFrame> pieces_;  // One thing each.
  uint64_t acked_through_ = 0;            // As of what was taken.
  size_t answers_ = 0;
};

}  // namespace acta
