#pragma once

#include <vector>

#include "storage/base/bytes.h"
#include "storage/log_engine.h"

namespace acta {

// A copy of `payload` without the events named, which stand in order of their index.
SharedBytes WithoutEvents(const SharedBytes& payload,
                          const std::vector<DuplicateEvent>& duplicates);

// Bytes of the first `count` events of a payload of whole elements.
size_t BytesOfEvents(absl::string_view payload, uint32_t count);

}  // namespace acta
