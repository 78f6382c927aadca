#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tests/crash/image_check.h"
#include "tests/crash/queue_history.h"
#include "tests/crash/queue_store.h"

namespace acta {

struct RepeatedStep {
  std::vector<size_t> decisions;  // By index in the history.
  bool kept = false;              // Its member has all of the events still.
  bool accepted = false;
};

// Members come back, say what they hold, and repeat the steps that were not answered before the
// fault, and the last ones that were. `resets`: how many each group has behind it; what was before
// them is nobody's any more.
absl::StatusOr<std::vector<RepeatedStep>> RepeatSteps(const QueueHistory& history,
                                                      const ImageCut& cut,
                                                      absl::Span<const int64_t> resets,
                                                      QueueStore& store);

}  // namespace acta
