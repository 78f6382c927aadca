#include "tests/unit/client/model_log.h"

#include "proto/support/error.h"
#include "proto/support/wire.h"

namespace acta::client {
namespace {

v1::BatchResult Refused(v1::ErrorReason reason) {
  v1::BatchResult result;
  *result.mutable_error() = ToProto(Error(reason, "the model refuses"));
  return result;
}

}  // namespace

v1::BatchResult ModelLog::Append(const Batch& batch) {
  Partition& partition = partitions_[batch.partition];
  Producer& producer = partition.producers[batch.producer_id];
  if (batch.epoch < producer.epoch) return Refused(v1::STALE_PRODUCER_EPOCH);
  if (batch.epoch > producer.epoch) producer = {batch.epoch, batch.first_sequence, {}};
  v1::BatchResult result;
  const auto count = static_cast<uint32_t>(EventElements::Count(batch.payload));
  if (producer.offsets.count(batch.first_sequence) > 0) {
    for (uint32_t i = 0; i < count; ++i) {
      v1::Duplicate* duplicate = result.add_duplicates();
      duplicate->set_event_index(static_cast<int32_t>(i));
      duplicate->set_partition(batch.partition);
      duplicate->set_offset(producer.offsets.at(batch.first_sequence + i));
    }
    return result;
  }
  if (batch.first_sequence != producer.next) return Refused(v1::OUT_OF_SEQUENCE);
  v1::PublishedPart* part = result.add_parts();
  part->set_partition(batch.partition);
  part->set_base_offset(static_cast<int64_t>(partition.events.size()));
  part->set_count(static_cast<int32_t>(count));
  EventElements elements(batch.payload);
  absl::string_view event;
  while (elements.Next(&event)) {
    producer.offsets[producer.next++] = static_cast<int64_t>(partition.events.size());
    partition.events.emplace_back(event);
  }
  return result;
}

std::string Element(absl::string_view event) {
  return std::string{static_cast<char>(EventElements::kTag), static_cast<char>(event.size())} +
         std::string(event);
}

}  // namespace acta::client
