#include "server/core/subscribe/outbox.h"

#include <utility>

#include "proto/support/error.h"
#include "proto/support/proto_time.h"

namespace acta {

void Outbox::Assigned(const v1::Assigned& assigned) { *Add().add_assigned() = assigned; }

void Outbox::Revoking(uint64_t assignment, absl::Duration deadline) {
  v1::Revoking* revoking = Add().add_revoking();
  revoking->set_assignment(assignment);
  SetDuration(deadline, revoking->mutable_deadline());
}

void Outbox::Revoked(uint64_t assignment) { Add().add_revoked()->set_assignment(assignment); }

void Outbox::Gap(uint64_t assignment, Offset first_lost, Offset last_lost,
                 const absl::Status& status) {
  v1::Gap* gap = Add().add_gap();
  gap->set_assignment(assignment);
  gap->set_first_lost(first_lost.value());
  gap->set_last_lost(last_lost.value());
  *gap->mutable_status() = ToProto(status);
}

void Outbox::Error(uint64_t frame_id, const absl::Status& status) {
  ++answers_;
  v1::ControlError* error = Add().add_errors();
  error->set_frame_id(frame_id);
  *error->mutable_status() = ToProto(status);
}

void Outbox::Error(v1::ControlError error) {
  ++answers_;
  *Add().add_errors() = std::move(error);
}

void Outbox::Notice(absl::string_view code, absl::string_view text, uint64_t assignment) {
  ++answers_;
  v1::Notice* notice = Add().add_notice();
  notice->set_code(std::string(code));
  notice->set_text(std::string(text));
  notice->set_assignment(assignment);
}

void Outbox::GoingAway(absl::Duration retry_after) {
  SetDuration(retry_after, Add().mutable_going_away()->mutable_retry_after());
}

void Outbox::Ack(uint64_t frame_id, bool quiet) {
  // It must not overtake an error that waits: it goes with the last piece.
  if (!pieces_.empty()) {
    pieces_.back().set_acked_through(frame_id);
  } else if (quiet) {
    acked_through_ = frame_id;
  } else {
    Add().set_acked_through(frame_id);
  }
}

void Outbox::Take(size_t max_bytes, v1::DeliveryFrame* frame) {
  size_t bytes = 0;
  for (bool first = true; !pieces_.empty(); first = false) {
    bytes += pieces_.front().ByteSizeLong();
    if (!first && bytes > max_bytes) break;
    answers_ -= static_cast<size_t>(pieces_.front().errors_size() + pieces_.front().notice_size());
    frame->MergeFrom(pieces_.front());
    pieces_.pop_front();
  }
  if (frame->acked_through() != 0) acked_through_ = frame->acked_through();
  frame->set_acked_through(acked_through_);
}

}  // namespace acta
