#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "tools/bench/bed.h"

namespace acta::bench {

struct SoakOptions {
  double seconds = 3600;
  double interval_s = 5;
  // Of the soak; 0: half of what this load reaches, which is tried first.
  double events_per_second = 0;
};

// Loads the broker of `bed` and tells how it goes by objects with a member `is`: "plan" once before
// the first client, "sample" every interval, "quiet" some seconds after the last one, "end" with
// what had arrived. Errors: the first of any publisher or group, DATA_LOSS for an event that is
// missing, moved or altered.
absl::Status RunSoak(Bed& bed, const SoakOptions& options,
                     const std::function<void(const nlohmann::json&)>& tell);

}  // namespace acta::bench
