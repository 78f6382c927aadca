#include "server/core/delivery/lease_runs.h"

namespace acta {

uint64_t LeaseRuns::Open(OffsetRun offsets, int64_t until_us) {
  const uint64_t run = ++last_;
  runs_[run] = {offsets, until_us, Lag(offsets.first, offsets.end)};
  by_end_.emplace(until_us, run);
  return run;
}

void LeaseRuns::Drop(uint64_t run) {
  const auto it = runs_.find(run);
  if (it == runs_.end() || --it->second.left > 0) return;
  by_end_.erase({it->second.until_us, run});
  runs_.erase(it);
}

std::optional<LeaseRuns::Ended> LeaseRuns::TakeEnded(int64_t now_us) {
  if (by_end_.empty() || by_end_.begin()->first > now_us) return std::nullopt;
  const uint64_t run = by_end_.begin()->second;
  by_end_.erase(by_end_.begin());
  const auto it = runs_.find(run);
  const Ended ended{run, it->second.offsets};
  runs_.erase(it);
  return ended;
}

std::optional<int64_t> LeaseRuns::next_us() const {
  return by_end_.empty() ? std::nullopt : std::optional<int64_t>(by_end_.begin()->first);
}

}  // namespace acta
