#pragma once

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/core/claims/claim_store.h"
#include "server/core/groups/group_registry.h"
#include "server/exec/executor.h"
#include "storage/log_engine.h"

namespace acta {

// How often claims that have ended are looked for.
inline constexpr absl::Duration kClaimSweepEvery = absl::Minutes(1);

// ClaimSweep takes the rows of claims that have ended, and of all claims of deleted groups, from
// the disk, every minute. Much of it is done in turns, so that it never holds a thread for long.
//
// Threads:   those of the timer; it blocks on the disk.
// Ownership: borrows all but the store; begins nothing more once it is dropped.
class ClaimSweep : public std::enable_shared_from_this<ClaimSweep> {
 public:
  ClaimSweep(LogEngine& engine, std::shared_ptr<ClaimStore> store, const GroupRegistry& groups,
             Timer& timer)
      : engine_(engine), store_(std::move(store)), groups_(groups), timer_(timer) {}

  void RunAfter(absl::Duration delay);

 private:
  // True: there is more to do.
  absl::StatusOr<bool> RunTurn();

  LogEngine& engine_;
  const std::shared_ptr<ClaimStore> store_;
  const GroupRegistry& groups_;
  Timer& timer_;
};

}  // namespace acta
