#include "client/cpp/delivery.h"

#include "proto/support/error.h"
#include "storage/base/status_macros.h"

namespace acta::client {

absl::Status ParseEvent(absl::string_view bytes, v1::Event* event) {
  if (event->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return absl::OkStatus();
  return Error(v1::MALFORMED_MESSAGE, "an event of the broker cannot be parsed");
}

std::vector<std::pair<int64_t, int64_t>> Delivery::Runs() const {
  if (next_offset() - base_offset_ == count_) return {{base_offset_, next_offset()}};
  std::vector<std::pair<int64_t, int64_t>> runs;
  for (int64_t i = 0; i < count_; ++i) {
    const int64_t offset = OffsetOf(i);
    if (runs.empty() || runs.back().second != offset) runs.emplace_back(offset, offset);
    runs.back().second = offset + 1;
  }
  return runs;
}

absl::StatusOr<std::vector<v1::Event>> Delivery::Parse() const {
  std::vector<v1::Event> events(static_cast<size_t>(count_));
  EventElements walk = elements();
  absl::string_view bytes;
  for (v1::Event& event : events) {
    walk.Next(&bytes);
    RETURN_IF_ERROR(ParseEvent(bytes, &event));
  }
  return events;
}

v1::CausedBy Delivery::CauseOf(int64_t index) const {
  v1::CausedBy cause;
  cause.set_delivery_token(delivery_token_);
  cause.set_offset(OffsetOf(index));
  return cause;
}

v1::BatchContext Delivery::context() const {
  v1::BatchContext context;
  // Of a newer broker it may hold what this program does not know, which is no reason to fail.
  (void)context.ParseFromString(context_);
  return context;
}

void FillFromContext(const v1::BatchContext& context, v1::Event* event) {
  if (event->correlation_id().empty()) event->set_correlation_id(context.correlation_id());
  if (event->causation_id().empty()) event->set_causation_id(context.causation_id());
}

}  // namespace acta::client
