#include "tools/acta/subscribe/running_leases.h"

#include <algorithm>

namespace acta::cli {
namespace {

// That a group may have.
constexpr absl::Duration kShortestLease = absl::Seconds(1);

}  // namespace

void RunningLeases::Begin(const Place& place, absl::Duration left) {
  // The clocks of broker and member may differ.
  const absl::Duration lease = std::clamp(left, kShortestLease, lease_);
  extend_at_[place] = clock_.SinceBoot() + lease / 3;
}

std::vector<RunningLeases::Place> RunningLeases::TakeDue() {
  std::vector<Place> due;
  const absl::Duration now = clock_.SinceBoot();
  for (auto& [place, at] : extend_at_) {
    if (now < at) continue;
    at = now + lease_ / 3;
    due.push_back(place);
  }
  return due;
}

}  // namespace acta::cli
