#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "server/core/queues/delivery_tokens.h"
#include "server/core/subscribe/subscribe_limits.h"
#include "storage/log_engine.h"

namespace acta {

// Sizes on the wire, rounded up: `acked_through` with its tag, and what a batch has beside its
// events: two tags with lengths, four numbers and the context.
inline constexpr size_t kFrameHeadBytes = 11;
inline constexpr size_t kBatchHeadBytes = 64;

// And with a delivery token.
inline constexpr size_t kTokenBytes = DeliveryTokens::kBytes + 4;

inline size_t BatchOverheadBytes(const StoredBatch& batch) {
  return kBatchHeadBytes + batch.context.size();
}

// Whether a client may name this as the largest frame it takes; 0: it names none. Errors:
// INVALID_ARGUMENT.
absl::Status CheckMaxFrameBytes(const SubscribeLimits& limits, int32_t bytes);

// The event at `offset` alone needs a larger frame than the client takes.
absl::Status EventTooLargeForClient(Offset offset, size_t event_bytes, size_t frame_bytes,
                                    size_t max_frame_bytes);
// The bytes of a stored batch are not whole events from `position` on; `end` is that of the batch.
absl::Status NotWholeEvents(Offset position, Offset end);

}  // namespace acta
