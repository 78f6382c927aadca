#include "server/core/queues/settle_error.h"

#include "proto/support/error.h"
#include "proto/support/limit_error.h"

namespace acta {

absl::Status SettleError(SettleOutcome outcome) {
  switch (outcome) {
    case SettleOutcome::kAlreadySettled:
      return Error(v1::ALREADY_SETTLED,
                   "these events were processed, became dead letters, were skipped or expired "
                   "before: nothing was changed");
    case SettleOutcome::kNeverLeased:
      return Error(v1::NEVER_LEASED,
                   "these events were not delivered yet: settle what was delivered");
    case SettleOutcome::kTooLong:
      return LimitExceeded("a lease would last longer, in hours, than:", 12, "max_lease_hours",
                           absl::ToInt64Hours(kMostExtension));
    case SettleOutcome::kLeaseLost:
    case SettleOutcome::kDone:
      break;
  }
  return Error(v1::LEASE_LOST,
               "the lease ran out, or was given back, or another member has these events: drop "
               "what was made of them");
}

}  // namespace acta
