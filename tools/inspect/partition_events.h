#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "storage/base/ids.h"
#include "tools/inspect/data_folder.h"

namespace acta::inspect {

// One event as it is stored.
struct StoredEvent {
  Offset offset;
  int64_t append_time_us = 0;
  bool crc_ok = true;       // Of its batch.
  absl::string_view bytes;  // An encoded acta.v1.Event. Until the next one comes.
};

struct OffsetRange {
  Offset from;
  std::optional<Offset> to;  // Exclusive; not set: the end.
  bool Contains(Offset offset) const { return from <= offset && (!to.has_value() || offset < *to); }
};

// Calls `event` for the events of a partition over all slices, by offset, and `damage` where
// something cannot be read. False: there was damage.
bool VisitEvents(const DataFolder& folder, PartitionId partition, const OffsetRange& range,
                 absl::FunctionRef<void(const StoredEvent&)> event,
                 absl::FunctionRef<void(Offset at, const std::string& what)> damage);

}  // namespace acta::inspect
