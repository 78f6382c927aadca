#include "server/core/subscribe/settlements.h"

#include <algorithm>
#include <utility>

#include "storage/base/fatal.h"

namespace acta {

void Settlements::Begin(uint64_t frame_id, bool quiet) {
  frames_.push_back({frame_id, quiet, false, absl::OkStatus(), {}});
}

Settlements::Frame& Settlements::Find(uint64_t frame_id) {
  const auto frame = std::lower_bound(frames_.begin(), frames_.end(), frame_id,
                                      [](const Frame& one, uint64_t id) { return one.id < id; });
  ACTA_CHECK(frame != frames_.end() && frame->id == frame_id && !frame->settled);
  return *frame;
}

void Settlements::Fail(uint64_t frame_id, std::vector<v1::ControlError> parts) {
  failed_parts_ += parts.size();
  Find(frame_id).parts = std::move(parts);
}

void Settlements::Settle(uint64_t frame_id, const absl::Status& status) {
  Frame& frame = Find(frame_id);
  frame.settled = true;
  frame.status = status;
  for (; !frames_.empty() && frames_.front().settled; frames_.pop_front()) {
    Frame& first = frames_.front();
    failed_parts_ -= first.parts.size();
    for (v1::ControlError& part : first.parts) {
      part.set_frame_id(first.id);
      outbox_.Error(std::move(part));
    }
    if (!first.status.ok()) outbox_.Error(first.id, first.status);
    outbox_.Ack(first.id, first.quiet && first.status.ok());
  }
}

}  // namespace acta
