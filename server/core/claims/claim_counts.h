#pragma once

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/base/ids.h"
#include "storage/base/mutex.h"

namespace acta {

// ClaimCounts is how many claims each group has on the disk, with those that are being written.
// Counted there when first needed, kept up from then on.
//
// Threads: any.
class ClaimCounts {
 public:
  // Before anything of the group is written. `count` runs outside of the lock, for a group once at
  // a time; others wait for it. Errors: those of `count`, DEADLINE_PASSED.
  absl::Status Know(GroupId group, absl::FunctionRef<absl::StatusOr<int64_t>()> count,
                    absl::Time deadline);
  // False when the group has `most` already.
  bool TryAdd(GroupId group, int64_t most);
  void Subtract(GroupId group, int64_t claims);
  // The group is gone.
  void Forget(GroupId group);

 private:
  static constexpr int64_t kBeingCounted = -1;

  Mutex mu_;  // Leaf.
  CondVar counted_;
  absl::flat_hash_map<GroupId, int64_t> counts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
