#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/base/ids.h"
#include "storage/base/mutex.h"

namespace acta {

// What became of a call: it was written that somebody is the first, has completed or has released a
// claim; it was answered that somebody else has completed it or holds it; it was refused as lost.
enum class ClaimOutcome : uint8_t {
  kFirst,
  kCompleted,
  kReleased,
  kDuplicate,
  kInProgress,
  kLost,
};
inline constexpr size_t kClaimOutcomes = 6;

// ClaimCounts is how many claims each group has on the disk, with those that are being written,
// which is counted there when first needed and kept up from then on; and, since the start, what
// became of calls.
//
// Threads: any.
class ClaimCounts {
 public:
  // Before anything of the group is written. `count` runs outside of the lock, for a group once at
  // a time; others wait for it. Errors: those of `count`, DEADLINE_PASSED.
  absl::Status Know(GroupId group, absl::FunctionRef<absl::StatusOr<int64_t>()> count,
                    absl::Duration deadline);
  // False when the group has `most` already.
  bool TryAdd(GroupId group, int64_t most);
  void Subtract(GroupId group, int64_t claims);
  void Tally(GroupId group, ClaimOutcome outcome);
  // The group is gone.
  void Forget(GroupId group);

  struct Figures {
    GroupId group;
    std::optional<int64_t> claims;  // Not set: they were not counted yet.
    std::array<int64_t, kClaimOutcomes> outcomes{};
  };
  // Of groups with any.
  std::vector<Figures> All() const;

 private:
  static constexpr int64_t kBeingCounted = -1;

  mutable Mutex mu_;  // Leaf.
  CondVar counted_;
  absl::flat_hash_map<GroupId, int64_t> counts_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<GroupId, std::array<int64_t, kClaimOutcomes>> outcomes_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
