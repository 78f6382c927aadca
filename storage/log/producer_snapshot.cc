#include "storage/log/producer_snapshot.h"

#include "acta/storage/v1/records.pb.h"
#include "proto/support/error.h"

namespace acta {

std::string EncodeProducers(const ProducerTable& producers, Offset as_of) {
  storage::v1::ProducerSnapshot snapshot;
  snapshot.set_as_of_offset(as_of.value());
  for (const auto& [id, state] : producers.producers()) {
    storage::v1::ProducerState* out = snapshot.add_producers();
    out->set_producer_id(id);
    out->set_epoch(state.epoch);
    out->set_last_time_us(state.last_time_us);
    for (const SequencedBatch& batch : state.batches) {
      storage::v1::ProducerBatch* to = out->add_batches();
      to->set_first_sequence(batch.first_sequence);
      to->set_count(batch.sequences);
      to->set_stored(batch.stored);
      to->set_base_offset(batch.base_offset.value());
      to->set_append_time_us(batch.append_time_us);
      to->set_incarnation(batch.incarnation.value());
    }
  }
  return snapshot.SerializeAsString();
}

absl::StatusOr<Offset> DecodeProducers(absl::string_view row, ProducerTable* producers) {
  storage::v1::ProducerSnapshot snapshot;
  if (!snapshot.ParseFromArray(row.data(), static_cast<int>(row.size()))) {
    return Error(v1::DATA_CORRUPTED, "the row of a partition's producers cannot be read");
  }
  for (const storage::v1::ProducerState& producer : snapshot.producers()) {
    for (const storage::v1::ProducerBatch& batch : producer.batches()) {
      producers->Record(
          producer.producer_id(), producer.epoch(),
          {batch.first_sequence(), batch.count(), batch.stored(), Offset(batch.base_offset()),
           Incarnation(batch.incarnation()), batch.append_time_us()});
    }
  }
  return Offset(snapshot.as_of_offset());
}

}  // namespace acta
