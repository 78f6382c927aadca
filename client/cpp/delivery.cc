#include "client/cpp/delivery.h"

#include <utility>

#include "client/cpp/delivery_rep.h"
#include "client/cpp/work_item.h"
#include "proto/support/error.h"
#include "proto/support/wire.h"
#include "storage/base/status_macros.h"

namespace acta::client {

absl::Status ParseEvent(absl::string_view bytes, v1::Event* event) {
  if (event->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return absl::OkStatus();
  return Error(v1::MALFORMED_MESSAGE, "an event of the broker cannot be parsed");
}

Delivery::Delivery() : rep_(std::make_shared<Rep>()) {}
Delivery::Delivery(const Delivery&) = default;
Delivery::Delivery(Delivery&&) noexcept = default;
Delivery& Delivery::operator=(const Delivery&) = default;
Delivery& Delivery::operator=(Delivery&&) noexcept = default;
Delivery::~Delivery() = default;

const std::string& Delivery::topic() const {
  static const std::string none;
  return rep_->topic == nullptr ? none : *rep_->topic;
}

int32_t Delivery::partition() const { return rep_->partition; }
int64_t Delivery::incarnation() const { return rep_->incarnation; }
int64_t Delivery::append_time_us() const { return rep_->append_time_us; }
int64_t Delivery::base_offset() const { return rep_->base_offset; }
int64_t Delivery::next_offset() const { return OffsetOf(count() - 1) + 1; }
int64_t Delivery::count() const { return rep_->count; }
absl::string_view Delivery::payload() const { return rep_->payload; }
const std::string& Delivery::delivery_token() const { return rep_->delivery_token; }

int64_t Delivery::OffsetOf(int64_t index) const {
  const std::vector<int32_t>& deltas = rep_->offset_deltas;
  return base_offset() + (deltas.empty() ? index : deltas[static_cast<size_t>(index)]);
}

std::vector<std::pair<int64_t, int64_t>> Delivery::Runs() const {
  if (next_offset() - base_offset() == count()) return {{base_offset(), next_offset()}};
  std::vector<std::pair<int64_t, int64_t>> runs;
  for (int64_t i = 0; i < count(); ++i) {
    const int64_t offset = OffsetOf(i);
    if (runs.empty() || runs.back().second != offset) runs.emplace_back(offset, offset);
    runs.back().second = offset + 1;
  }
  return runs;
}

absl::StatusOr<std::vector<v1::Event>> Delivery::Parse() const {
  std::vector<v1::Event> events(static_cast<size_t>(count()));
  EventElements walk(payload());
  absl::string_view bytes;
  for (v1::Event& event : events) {
    walk.Next(&bytes);
    RETURN_IF_ERROR(ParseEvent(bytes, &event));
  }
  return events;
}

v1::CausedBy Delivery::CauseOf(int64_t index) const {
  v1::CausedBy cause;
  cause.set_delivery_token(delivery_token());
  cause.set_offset(OffsetOf(index));
  return cause;
}

v1::BatchContext Delivery::context() const {
  v1::BatchContext context;
  // Of a newer broker it may hold what this program does not know, which is no reason to fail.
  (void)context.ParseFromString(rep_->context);
  return context;
}

WorkItem::WorkItem(Delivery delivery, uint64_t lease) : Delivery(std::move(delivery)) {
  rep_->lease = lease;
}

int32_t WorkItem::attempt() const { return rep_->attempt; }
int32_t WorkItem::redrives() const { return rep_->redrives; }
const std::string& WorkItem::redrive_id() const { return rep_->redrive_id; }
uint64_t WorkItem::lease() const { return rep_->lease; }

absl::Time WorkItem::lease_until() const { return absl::FromUnixMicros(rep_->lease_until_us); }

void FillFromContext(const v1::BatchContext& context, v1::Event* event) {
  if (event->correlation_id().empty()) event->set_correlation_id(context.correlation_id());
  if (event->causation_id().empty()) event->set_causation_id(context.causation_id());
}

}  // namespace acta::client
