#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/time/time.h"
#include "storage/base/clock.h"

namespace acta::cli {

// The leases of events whose commands run, and when each is to be extended. The wall clock may be
// set meanwhile.
//
// Threads: one at a time.
class RunningLeases {
 public:
  // Topic, partition, offset.
  using Place = std::tuple<std::string, int32_t, int64_t>;

  // `lease`: how long one is.
  RunningLeases(const Clock& clock, absl::Duration lease) : clock_(clock), lease_(lease) {}

  // `left` of its lease.
  void Begin(const Place& place, absl::Duration left);
  void End(const Place& place) { extend_at_.erase(place); }
  bool Contains(const Place& place) const { return extend_at_.count(place) > 0; }
  // Those whose lease is to be extended now, by the whole length of one.
  std::vector<Place> TakeDue();

 private:
  const Clock& clock_;
  const absl::Duration lease_;
  std::map<Place, absl::Duration> extend_at_;  // Since boot.
};

}  // namespace acta::cli
