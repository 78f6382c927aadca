#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "acta/v1/journeys.pb.h"

namespace acta::cli {

// JourneyPages puts the pages of an answer together: each event once, and behind its cause where
// that came on an earlier page. Threads: one.
class JourneyPages {
 public:
  void Add(v1::GetJourneyResponse page);
  // What came so far; the token and the state of the index are the last page's.
  const v1::GetJourneyResponse& journey() const { return journey_; }

 private:
  // The place of an event on the page in `journey_`.
  int32_t AddEvent(v1::JourneyEvent event);
  void SetCause(int32_t effect, int32_t cause);

  v1::GetJourneyResponse journey_;
  absl::flat_hash_map<std::string, int32_t> places_;  // Who has none is known by its id.
  absl::flat_hash_map<std::string, int32_t> names_;   // As effects name them; the last one.
};

}  // namespace acta::cli
