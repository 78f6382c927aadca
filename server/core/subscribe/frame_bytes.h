#pragma once

#include <cstddef>

#include "storage/log_engine.h"

namespace acta {

// Sizes on the wire, rounded up: `acked_through` with its tag, and what a batch has beside its
// events: two tags with lengths, four numbers and the context.
inline constexpr size_t kFrameHeadBytes = 11;
inline constexpr size_t kBatchHeadBytes = 64;

inline size_t BatchOverheadBytes(const StoredBatch& batch) {
  return kBatchHeadBytes + batch.context.size();
}

}  // namespace acta
