#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "acta/v1/subscriber.pb.h"
#include "server/core/claims/claim_registry.h"

namespace acta {

inline constexpr int kMaxStepClaims = 100;
inline constexpr int64_t kMaxStepResultBytes = int64_t{1} << 20;

// The claims that a step completes; nobody else can look at them until it has ended. Dropped before
// Finish(): nothing of it happened.
//
// Threads: one at a time; Finish() takes leaf locks only.
class StepClaims {
 public:
  // Blocks on the disk. Errors: as ClaimRegistry::PrepareComplete() (details claim),
  // LIMIT_EXCEEDED (max_step_claims, max_step_result_bytes), INVALID_ARGUMENT.
  static absl::StatusOr<StepClaims> Prepare(const Caller& caller, const v1::SettleRequest& request,
                                            ClaimRegistry& claims);

  void TakeRows(std::vector<RowWrite>* rows);
  void Finish(const TransactionResult& result);

 private:
  std::vector<ClaimChange> changes_;
};

}  // namespace acta
