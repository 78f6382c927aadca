#include "server/core/subscribe/settlements.h"

#include <algorithm>
#include <utility>

#include "storage/base/fatal.h"

namespace acta {

void Settlements::Begin(uint64_t frame_id, bool quiet) {
  frames_.push_back({frame_id, quiet, false, absl::OkStatus(), {}});
}

void Settlements::Settle(uint64_t frame_id, const absl::Status& status,
                         std::vector<v1::ControlError> parts) {
  const auto frame = std::lower_bound(frames_.begin(), frames_.end(), frame_id,
                                      [](const Frame& one, uint64_t id) { return one.id < id; });
  ACTA_CHECK(frame != frames_.end() && frame->id == frame_id && !frame->settled);
  frame->settled = true;
  frame->status = status;
  frame->parts = std::move(parts);
  for (; !frames_.empty() && frames_.front().settled; frames_.pop_front()) {
    Frame& first = frames_.front();
    for (v1::ControlError& part : first.parts) {
      part.set_frame_id(first.id);
      outbox_.Error(std::move(part));
    }
    if (!first.status.ok()) outbox_.Error(first.id, first.status);
    outbox_.Ack(first.id, first.quiet && first.status.ok());
  }
}

}  // namespace acta
