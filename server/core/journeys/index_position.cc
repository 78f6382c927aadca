#include "server/core/journeys/index_position.h"

#include <algorithm>

#include "proto/support/error.h"
#include "server/core/queues/offset_detail.h"
#include "storage/layout/index_block.h"

namespace acta {

storage::v1::IndexedRecord MakeIndexPosition(const LogEngine& engine, Offset offset,
                                             v1::JourneyMode mode) {
  storage::v1::IndexedRecord record;
  record.set_offset(offset.value());
  record.set_incarnation(engine.incarnation().value());
  record.set_form(kIndexForm);
  record.set_mode(mode);
  return record;
}

absl::StatusOr<storage::v1::IndexedRecord> ParseIndexPosition(const std::string& value) {
  storage::v1::IndexedRecord record;
  if (record.ParseFromString(value)) return record;
  return Error(v1::DATA_CORRUPTED, "a record of the journeys' index cannot be read");
}

bool FindsMore(v1::JourneyMode wanted, v1::JourneyMode looked_at) {
  return wanted == v1::JOURNEY_MODE_FULL && looked_at == v1::JOURNEY_MODE_CORRELATION;
}

Offset WhereToGoOn(const LogEngine& engine, PartitionId partition,
                   const storage::v1::IndexedRecord& record, v1::JourneyMode mode) {
  if (FindsMore(mode, static_cast<v1::JourneyMode>(record.mode()))) return Offset(0);
  const Offset offset(record.offset());
  const absl::Status same = engine.CheckPosition(
      partition, Incarnation(static_cast<uint32_t>(record.incarnation())), offset);
  if (same.ok()) return offset;
  return std::min(offset, OffsetDetail(same, "offset", offset));
}

}  // namespace acta
