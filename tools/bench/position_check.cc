#include "tools/bench/position_check.h"

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"

namespace acta::bench {
namespace {

absl::Status Wrong(int32_t partition, int64_t offset, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("partition ", partition, ", offset ", offset, ": ", what));
}

}  // namespace

PositionCheck::PositionCheck(const EventForm& form)
    : form_(form), next_(static_cast<size_t>(form.partitions())) {}

absl::Status PositionCheck::Take(const client::Delivery& delivery) {
  return Take(delivery.partition(), delivery.base_offset(), delivery.next_offset(),
              EventElements(delivery.payload()));
}

absl::Status PositionCheck::Take(int32_t partition, int64_t base_offset, int64_t next_offset,
                                 EventElements elements) {
  int64_t& next = next_.at(static_cast<size_t>(partition));
  if (base_offset > next) return Wrong(partition, next, "lost, the next is further on");
  if (base_offset < next) return Wrong(partition, base_offset, "delivered again");
  for (absl::string_view event; elements.Next(&event); ++next) {
    if (next == base_offset && form_.NumberOf(event) != static_cast<uint64_t>(next)) {
      return Wrong(partition, next, absl::StrCat("holds event ", form_.NumberOf(event)));
    }
    if (next % kContentEvery == 0) RETURN_IF_ERROR(CheckContent(partition, next, event));
  }
  if (next == next_offset) return absl::OkStatus();
  return Wrong(partition, next, absl::StrCat("missing, the delivery goes to ", next_offset));
}

absl::Status PositionCheck::CheckContent(int32_t partition, int64_t offset,
                                         absl::string_view event) {
  const v1::Event published =
      form_.Make(partition, static_cast<uint64_t>(offset), form_.TimeOf(event));
  if (event != published.SerializeAsString()) return Wrong(partition, offset, "altered");
  ++compared_;
  return absl::OkStatus();
}

}  // namespace acta::bench
