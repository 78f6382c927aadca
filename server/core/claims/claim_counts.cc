#include "server/core/claims/claim_counts.h"

#include <algorithm>

#include "server/core/access/authorizer.h"
#include "storage/base/clock.h"

namespace acta {

absl::Status ClaimCounts::Know(GroupId group, absl::FunctionRef<absl::StatusOr<int64_t>()> count,
                               absl::Duration deadline) {
  {
    MutexLock lock(mu_);
    while (true) {
      const auto [it, first] = counts_.try_emplace(group, kBeingCounted);
      if (first) break;
      if (it->second != kBeingCounted) return absl::OkStatus();
      const absl::Duration rest = deadline - SystemClock().SinceBoot();
      if (rest <= absl::ZeroDuration()) return DeadlinePassed();
      counted_.WaitFor(mu_, std::min(rest, absl::Hours(1)));
    }
  }
  const absl::StatusOr<int64_t> found = count();
  MutexLock lock(mu_);
  if (found.ok()) {
    counts_[group] = *found;
  } else {
    counts_.erase(group);
  }
  counted_.SignalAll();
  return found.status();
}

bool ClaimCounts::TryAdd(GroupId group, int64_t most) {
  MutexLock lock(mu_);
  const auto it = counts_.find(group);
  if (it == counts_.end()) return true;  // Of a group that is gone.
  if (it->second >= most) return false;
  ++it->second;
  return true;
}

void ClaimCounts::Subtract(GroupId group, int64_t claims) {
  MutexLock lock(mu_);
  const auto it = counts_.find(group);
  if (it != counts_.end()) it->second -= claims;
}

void ClaimCounts::Tally(GroupId group, ClaimOutcome outcome) {
  MutexLock lock(mu_);
  ++outcomes_[group][static_cast<size_t>(outcome)];
}

void ClaimCounts::Forget(GroupId group) {
  MutexLock lock(mu_);
  counts_.erase(group);
  outcomes_.erase(group);
}

std::vector<ClaimCounts::Figures> ClaimCounts::All() const {
  absl::flat_hash_map<GroupId, Figures> groups;
  MutexLock lock(mu_);
  for (const auto& [group, outcomes] : outcomes_) groups[group].outcomes = outcomes;
  for (const auto& [group, claims] : counts_) {
    if (claims != kBeingCounted) groups[group].claims = claims;
  }
  std::vector<Figures> all;
  all.reserve(groups.size());
  for (auto& [group, figures] : groups) {
    figures.group = group;
    all.push_back(figures);
  }
  return all;
}

}  // namespace acta
