#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/base/mutex.h"

namespace acta {

class ClaimTurns;

// The right to change one claim, which one at a time has. Given back when it is dropped.
class ClaimTurn {
 public:
  ClaimTurn(std::shared_ptr<ClaimTurns> turns, std::string row)
      : turns_(std::move(turns)), row_(std::move(row)) {}
  ClaimTurn(ClaimTurn&& other) = default;
  ClaimTurn& operator=(ClaimTurn&&) = delete;
  ~ClaimTurn() { GiveBack(); }

  void GiveBack();

 private:
  std::shared_ptr<ClaimTurns> turns_;  // Null: moved away, or given back.
  std::string row_;
};

// ClaimTurns knows which claims are being changed, by their rows. As many as there are calls.
//
// Threads: any. A turn may be given back on another thread, also on those that run `done`.
class ClaimTurns : public std::enable_shared_from_this<ClaimTurns> {
 public:
  // Waits for it. Errors: DEADLINE_PASSED; `deadline` is since boot.
  absl::StatusOr<ClaimTurn> Take(const std::string& row, absl::Duration deadline);
  // Nothing: somebody has it.
  std::optional<ClaimTurn> TryTake(const std::string& row);

 private:
  friend class ClaimTurn;
  void GiveBack(const std::string& row);

  Mutex mu_;  // Leaf.
  CondVar given_back_;
  absl::flat_hash_set<std::string> taken_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
