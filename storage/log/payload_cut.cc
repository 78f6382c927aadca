#include "storage/log/payload_cut.h"

#include <string>

#include "proto/support/wire.h"

namespace acta {

SharedBytes WithoutEvents(const SharedBytes& payload,
                          const std::vector<DuplicateEvent>& duplicates) {
  std::string kept;
  kept.reserve(payload.size());
  EventElements elements(payload.view());
  absl::string_view event;
  auto skip = duplicates.begin();
  size_t begin = 0;
  for (uint32_t index = 0; elements.Next(&event); ++index) {
    const size_t end = elements.offset();
    if (skip != duplicates.end() && skip->index == index) {
      ++skip;
    } else {
      kept.append(payload.view().data() + begin, end - begin);
    }
    begin = end;
  }
  // It stays in the cache, which counts its bytes.
  if (kept.size() < payload.size() / 2) kept.shrink_to_fit();
  return SharedBytes(std::move(kept));
}

size_t BytesOfEvents(absl::string_view payload, uint32_t count) {
  return EventElements::Cut(payload, 0, count).size();
}

}  // namespace acta
