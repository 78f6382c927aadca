// Ending members: all of them, or those whose positions somebody moves.
#include <utility>

#include "proto/support/error.h"
#include "proto/support/partitioner.h"
#include "server/core/groups/group.h"

namespace acta {
namespace {

// Any number; that of the member decides.
constexpr uint32_t kSpreadSeed = 0x5bd1e995;
constexpr uint32_t kSpreadSteps = 1000;

// Members that end together come back one by one: after the delay, and up to as long again.
absl::Status Spread(const absl::Status& status, absl::string_view member) {
  const absl::Duration delay = RetryAfterOf(status);
  if (delay == absl::ZeroDuration()) return status;
  const uint32_t step = Murmur2(member, kSpreadSeed) % kSpreadSteps;
  const auto details = DetailsOf(status);
  return ErrorRetryAfter(ReasonOf(status), status.message(), delay + delay * step / kSpreadSteps,
                         {details.begin(), details.end()});
}

}  // namespace

void Group::EndAll(const absl::Status& status) {
  std::vector<uint64_t> sessions;
  {
    MutexLock lock(mu_);
    for (const auto& [number, session] : sessions_) sessions.push_back(number);
    while (!sessions_.empty()) {
      const SessionPtr session = sessions_.begin()->second;
      EndSession(session, Spread(status, session->member_id), true);
    }
    assignment_.Clear();
    members_.clear();
  }
  if (queue_ != nullptr) {
    for (const uint64_t session : sessions) queue_->Leave(session, true);
  }
  Flush();
}

void Group::EndHolders(const std::vector<PartitionId>& partitions, const absl::Status& status) {
  if (queue_ != nullptr) return EndAll(status);
  const absl::Duration now = deps_.clock.SinceBoot();
  {
    MutexLock lock(mu_);
    assignment_.Withhold(partitions);
    AssignmentDecisions decisions;
    for (const PartitionId partition : partitions) {
      const auto held = sessions_.find(assignment_.holder(partition));
      if (held == sessions_.end()) continue;
      const SessionPtr session = held->second;
      EndSession(session, Spread(status, session->member_id), true);
      members_[session->member_id].set_connected(false);
      assignment_.Break(session->number, now, &decisions);
    }
    ForgetMembers();
    Apply(std::move(decisions), now);
  }
  Flush();
}

void Group::GiveOut(const std::vector<PartitionId>& partitions) {
  const absl::Duration now = deps_.clock.SinceBoot();
  {
    MutexLock lock(mu_);
    AssignmentDecisions decisions;
    assignment_.GiveOut(partitions, now, &decisions);
    Apply(std::move(decisions), now);
  }
  Flush();
}

}  // namespace acta
