#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/core/claims/claim_change.h"
#include "server/core/claims/claim_counts.h"
#include "server/core/claims/claim_rules.h"
#include "server/core/claims/claim_turns.h"
#include "storage/log_engine.h"

namespace acta {

// ClaimStore is the claims of all groups on the disk. It decides nothing but how many there may be.
//
// Threads:   any; every method blocks on the disk.
// Ownership: borrows the engine.
// Errors:    DATA_CORRUPTED; those of LogEngine::Submit() where it writes.
class ClaimStore {
 public:
  ClaimStore(LogEngine& engine, const ClaimLimits& limits)
      : engine_(engine),
        limits_(limits),
        turns_(std::make_shared<ClaimTurns>()),
        counts_(std::make_shared<ClaimCounts>()) {}

  // Waits for those who change the claim just now. Errors: DEADLINE_PASSED.
  absl::StatusOr<ClaimChange> Open(GroupId group, const std::string& key, absl::Duration deadline);
  // Does not wait. Errors: CONCURRENT_CHANGE.
  absl::StatusOr<ClaimChange> TryOpen(GroupId group, const std::string& key);

  // What the change is to do. Errors: LIMIT_EXCEEDED, once claims of the group that have ended are
  // out of the way; DEADLINE_PASSED.
  absl::Status Put(ClaimChange& change, ClaimChange::Record record, absl::Duration deadline);
  absl::Status Remove(ClaimChange& change, absl::Duration deadline);

  // Writes and finishes it.
  absl::Status Write(ClaimChange& change);

  struct Swept {
    int64_t forgotten = 0;
    bool more = false;  // There may be more that has ended, at or after `after`.
  };
  // Forgets a page of claims of the group that ended at or before `until_us`, but those that are
  // being changed; not set: of all, because the group is deleted. `after` is where it begins, a
  // row, and is set to where it goes on.
  absl::StatusOr<Swept> SweepPage(GroupId group, std::optional<int64_t> until_us,
                                  std::string* after);
  // The group is deleted, and its claims are swept.
  void Forget(GroupId group) { counts_->Forget(group); }
  ClaimCounts& counts() const { return *counts_; }

 private:
  absl::StatusOr<ClaimChange> Load(ClaimTurn turn, GroupId group, const std::string& key) const;
  absl::Status KnowCount(GroupId group, absl::Duration deadline);
  absl::StatusOr<int64_t> Count(GroupId group) const;

  LogEngine& engine_;
  const ClaimLimits limits_;
  const std::shared_ptr<ClaimTurns> turns_;
  const std::shared_ptr<ClaimCounts> counts_;
};

}  // namespace acta
