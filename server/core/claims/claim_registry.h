#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/v1/claims.pb.h"
#include "server/core/access/authorizer.h"
#include "server/core/claims/claim_change.h"
#include "server/core/claims/claim_counts.h"
#include "server/core/claims/claim_rules.h"
#include "server/core/claims/claim_store.h"
#include "server/core/claims/claim_sweep.h"
#include "server/core/groups/group_registry.h"
#include "server/exec/executor.h"
#include "storage/log_engine.h"

namespace acta {

// ClaimRegistry is all claims of all groups.
//
// Threads:   any; every method waits for the disk.
// Ownership: borrows what it is given. Changes that were prepared may outlive it.
// Errors:    as the methods of acta.v1.Claims say; those of LogEngine::Submit(); PERMISSION_DENIED.
class ClaimRegistry {
 public:
  struct Deps {
    LogEngine& engine;
    const GroupRegistry& groups;  // Loaded.
    // Asked for a forced release only; whether the caller may use the group is asked by whoever
    // calls.
    const Authorizer& authorizer;
    Timer& timer;
    ClaimLimits limits;
  };
  // Sweeps from now on.
  explicit ClaimRegistry(const Deps& deps);
  ClaimRegistry(const ClaimRegistry&) = delete;
  ClaimRegistry& operator=(const ClaimRegistry&) = delete;

  absl::StatusOr<v1::ClaimResponse> Claim(const Caller&, const v1::ClaimRequest&);
  absl::StatusOr<v1::CompleteClaimResponse> Complete(const Caller&,
                                                     const v1::CompleteClaimRequest&);
  absl::StatusOr<v1::ReleaseClaimResponse> Release(const Caller&, const v1::ReleaseClaimRequest&);
  absl::StatusOr<v1::GetClaimResponse> Get(const Caller&, const v1::GetClaimRequest&);
  absl::StatusOr<v1::ListClaimsResponse> List(const Caller&, const v1::ListClaimsRequest&) const;

  // A completion as a part of a transaction of the caller's own. It waits for the disk and for
  // nobody else. Errors: as CompleteClaim; CONCURRENT_CHANGE while another call changes the claim.
  absl::StatusOr<ClaimChange> PrepareComplete(const Caller&, const v1::CompleteClaimRequest&);

  // Of every group that claims were asked of since the start, by name. Does not wait.
  struct Figures {
    std::string group;
    ClaimCounts::Figures counts;
  };
  std::vector<Figures> Measure() const;
  int64_t max_claims_per_group() const { return deps_.limits.max_claims_per_group; }

 private:
  v1::ClaimResponse AnswerOther(const ClaimChange& change) const;
  // The claim as the token's holder knows it. Errors: CLAIM_NOT_FOUND, CLAIM_LOST.
  absl::StatusOr<ClaimChange::Record> HeldClaim(const ClaimChange& change, absl::string_view group,
                                                absl::string_view token) const;
  absl::StatusOr<GroupId> GroupOf(const Caller& caller, const v1::CompleteClaimRequest& request);
  // Errors: CLAIM_NOT_FOUND, CLAIM_LOST.
  absl::Status PutCompletion(const Caller& caller, const v1::CompleteClaimRequest& request,
                             ClaimChange& change);

  const Deps deps_;
  const std::shared_ptr<ClaimStore> store_;
  const std::shared_ptr<ClaimSweep> sweep_;
};

}  // namespace acta
