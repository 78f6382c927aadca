#include "server/core/claims/claim_turns.h"

#include <algorithm>

#include "server/core/access/authorizer.h"
#include "storage/base/clock.h"

namespace acta {

void ClaimTurn::GiveBack() {
  if (turns_ != nullptr) turns_->GiveBack(row_);
  turns_.reset();
}

absl::StatusOr<ClaimTurn> ClaimTurns::Take(const std::string& row, absl::Duration deadline) {
  MutexLock lock(mu_);
  while (taken_.contains(row)) {
    const absl::Duration rest = deadline - SystemClock().SinceBoot();
    if (rest <= absl::ZeroDuration()) return DeadlinePassed();
    given_back_.WaitFor(mu_, std::min(rest, absl::Hours(1)));
  }
  taken_.insert(row);
  return ClaimTurn(shared_from_this(), row);
}

std::optional<ClaimTurn> ClaimTurns::TryTake(const std::string& row) {
  MutexLock lock(mu_);
  if (!taken_.insert(row).second) return std::nullopt;
  return ClaimTurn(shared_from_this(), row);
}

void ClaimTurns::GiveBack(const std::string& row) {
  MutexLock lock(mu_);
  taken_.erase(row);
  given_back_.SignalAll();
}

}  // namespace acta
