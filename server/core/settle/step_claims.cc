#include "server/core/settle/step_claims.h"

#include <iterator>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "server/core/access/names.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

absl::Status CheckClaims(const v1::SettleRequest& request) {
  if (request.claims_size() > kMaxStepClaims) {
    return LimitExceeded("the step completes claims:", request.claims_size(), "max_step_claims",
                         kMaxStepClaims);
  }
  absl::flat_hash_set<absl::string_view> keys;
  int64_t bytes = 0;
  for (const v1::CompletedClaim& claim : request.claims()) {
    bytes += static_cast<int64_t>(claim.result().size());
    if (keys.insert(claim.key()).second) continue;
    return Error(v1::INVALID_ARGUMENT,
                 absl::StrCat("claims: '", ShownName(claim.key()), "' is named twice"),
                 {{"field", "claims"}});
  }
  if (bytes <= kMaxStepResultBytes) return absl::OkStatus();
  return LimitExceeded("the results of the claims have bytes:", bytes, "max_step_result_bytes",
                       kMaxStepResultBytes);
}

}  // namespace

absl::StatusOr<StepClaims> StepClaims::Prepare(const Caller& caller,
                                               const v1::SettleRequest& request,
                                               ClaimRegistry& claims) {
  RETURN_IF_ERROR(CheckClaims(request));
  StepClaims prepared;
  prepared.changes_.reserve(static_cast<size_t>(request.claims_size()));
  for (int i = 0; i < request.claims_size(); ++i) {
    const v1::CompletedClaim& claim = request.claims(i);
    v1::CompleteClaimRequest complete;
    complete.set_tenant(request.tenant());
    complete.set_group(request.group());
    complete.set_key(claim.key());
    complete.set_token(claim.token());
    complete.set_result(claim.result());
    absl::StatusOr<ClaimChange> change = claims.PrepareComplete(caller, complete);
    if (!change.ok()) return WithDetails(change.status(), {{"claim", absl::StrCat(i)}});
    prepared.changes_.push_back(*std::move(change));
  }
  return prepared;
}

void StepClaims::TakeRows(std::vector<RowWrite>* rows) {
  for (ClaimChange& change : changes_) {
    std::vector<RowWrite> own = change.TakeRows();
    std::move(own.begin(), own.end(), std::back_inserter(*rows));
  }
}

void StepClaims::Finish(const TransactionResult& result) {
  absl::Status written = result.status;
  for (const AppendResult& append : result.appends) written.Update(append.status);
  for (ClaimChange& change : changes_) change.Finish(written);
}

}  // namespace acta
