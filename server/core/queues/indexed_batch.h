#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "acta/v1/context.pb.h"
#include "server/core/delivery/queue_types.h"
#include "storage/log_engine.h"

namespace acta {

// A stored batch and where its events are in it. Immutable.
struct IndexedBatch {
  BatchPtr batch;
  std::vector<uint32_t> ends;  // Of each event's element, in the payload.

  // Bytes of the payload where events `first` to `end` (exclusive, within the batch) are.
  size_t BeginOf(uint32_t first) const { return first == 0 ? 0 : ends[first - 1]; }
  size_t EndOf(uint32_t end) const { return end == 0 ? 0 : ends[end - 1]; }
  // The encoded acta.v1.Event at an offset that is in it.
  absl::string_view EventAt(Offset offset) const;
};
using IndexedBatchPtr = std::shared_ptr<const IndexedBatch>;

// Null when the payload is not as many whole elements as the batch counts.
IndexedBatchPtr IndexBatch(BatchPtr batch);

// What the broker knows of the events of a batch.
v1::BatchContext ContextOfBatch(const StoredBatch& batch);

// What a queue has to know of the events from index `first` on.
std::vector<EventFacts> FactsOf(const LogEngine& engine, const IndexedBatch& batch, uint32_t first,
                                uint32_t end);

}  // namespace acta
