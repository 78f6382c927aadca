#include "server/core/claims/claim_registry.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "server/core/access/pages.h"
#include "server/core/claims/claim_record.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"

namespace acta {
namespace {

using storage::v1::ClaimRecord;

constexpr size_t kListedBytes = 1 << 20;

absl::Status NoClaim(absl::string_view group) {
  return Error(
      v1::CLAIM_NOT_FOUND,
      absl::StrCat("group '", group, "' holds no such claim: it was released, or its time is over"),
      {{"group", std::string(group)}});
}

// The same wish again, by the same caller.
bool IsRetry(const ClaimRecord& record, const Caller& caller, const v1::ClaimRequest& request) {
  return !request.request_id().empty() && request.request_id() == record.request_id() &&
         request.owner() == record.owner() && caller.principal == record.principal();
}

v1::ClaimResponse AnswerFirst(const ClaimRecord& record) {
  v1::ClaimResponse response;
  response.set_outcome(v1::CLAIM_OUTCOME_FIRST);
  response.set_token(ClaimTokenText(record.token()));
  SetTimeUs(record.until_us(), response.mutable_until());
  return response;
}

ClaimRecord NewClaim(const Caller& caller, const v1::ClaimRequest& request, const ClaimTerms& terms,
                     int64_t now_us) {
  ClaimRecord record;
  record.set_token(DrawClaimToken());
  record.set_owner(request.owner());
  record.set_principal(caller.principal);
  record.set_request_id(request.request_id());
  record.set_claim_us(now_us);
  record.set_until_us(now_us + terms.lease_us);
  record.set_ttl_us(terms.ttl_us);
  record.set_end_us(record.until_us() + absl::ToInt64Microseconds(kLateCompletion));
  return record;
}

}  // namespace

ClaimRegistry::ClaimRegistry(const Deps& deps)
    : deps_(deps),
      store_(std::make_shared<ClaimStore>(deps.engine, deps.limits)),
      sweep_(std::make_shared<ClaimSweep>(deps.engine, store_, deps.groups, deps.timer)) {
  sweep_->RunAfter(kClaimSweepEvery);
}

v1::ClaimResponse ClaimRegistry::AnswerOther(const ClaimChange& change) const {
  const ClaimRecord& record = *change.record();
  store_->counts().Tally(
      change.group(), IsCompleted(record) ? ClaimOutcome::kDuplicate : ClaimOutcome::kInProgress);
  v1::ClaimResponse response;
  response.set_owner(record.owner());
  response.set_principal(record.principal());
  if (IsCompleted(record)) {
    response.set_outcome(v1::CLAIM_OUTCOME_DUPLICATE);
    response.set_result(record.result());
    SetTimeUs(record.complete_us(), response.mutable_complete_time());
    return response;
  }
  response.set_outcome(v1::CLAIM_OUTCOME_IN_PROGRESS);
  SetTimeUs(record.until_us(), response.mutable_until());
  SetDuration(absl::Microseconds(record.until_us() - change.now_us()),
              response.mutable_retry_after());
  return response;
}

absl::StatusOr<v1::ClaimResponse> ClaimRegistry::Claim(const Caller& caller,
                                                       const v1::ClaimRequest& request) {
  ASSIGN_OR_RETURN(const GroupId group,
                   deps_.groups.GetId(caller, request.tenant(), request.group()));
  ASSIGN_OR_RETURN(const ClaimTerms terms, TermsOf(request));
  ASSIGN_OR_RETURN(ClaimChange change, store_->Open(group, request.key(), caller.deadline));
  const ClaimRecord* const current = change.record();
  if (current != nullptr && IsCompleted(*current)) return AnswerOther(change);
  if (current != nullptr && change.now_us() < current->until_us()) {
    if (IsRetry(*current, caller, request)) return AnswerFirst(*current);
    return AnswerOther(change);
  }
  RETURN_IF_ERROR(CheckDeadline(caller));
  const ClaimRecord record = NewClaim(caller, request, terms, change.now_us());
  RETURN_IF_ERROR(store_->Put(change, record, caller.deadline));
  RETURN_IF_ERROR(store_->Write(change));
  return AnswerFirst(record);
}

absl::StatusOr<ClaimRecord> ClaimRegistry::HeldClaim(const ClaimChange& change,
                                                     absl::string_view group,
                                                     absl::string_view token) const {
  if (change.record() == nullptr) return NoClaim(group);
  if (change.record()->token() == token) return *change.record();
  store_->counts().Tally(change.group(), ClaimOutcome::kLost);
  return Error(v1::CLAIM_LOST,
               absl::StrCat("the claim belongs to somebody else by now: its lease in group '",
                            group, "' ran out before it was completed"),
               {{"group", std::string(group)}, {"owner", change.record()->owner()}});
}

absl::StatusOr<GroupId> ClaimRegistry::GroupOf(const Caller& caller,
                                               const v1::CompleteClaimRequest& request) {
  ASSIGN_OR_RETURN(const GroupId group,
                   deps_.groups.GetId(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(CheckClaimKey(request.key()));
  RETURN_IF_ERROR(CheckClaimResult(request.result()));
  return group;
}

absl::Status ClaimRegistry::PutCompletion(const Caller& caller,
                                          const v1::CompleteClaimRequest& request,
                                          ClaimChange& change) {
  ASSIGN_OR_RETURN(const std::string token, ParseClaimToken(request.token()));
  ASSIGN_OR_RETURN(ClaimRecord record, HeldClaim(change, request.group(), token));
  if (IsCompleted(record)) return absl::OkStatus();
  RETURN_IF_ERROR(CheckDeadline(caller));
  record.set_complete_us(change.now_us());
  record.set_result(request.result());
  record.set_end_us(change.now_us() + record.ttl_us());
  return store_->Put(change, std::move(record), caller.deadline);
}

absl::StatusOr<v1::CompleteClaimResponse> ClaimRegistry::Complete(
    const Caller& caller, const v1::CompleteClaimRequest& request) {
  ASSIGN_OR_RETURN(const GroupId group, GroupOf(caller, request));
  ASSIGN_OR_RETURN(ClaimChange change, store_->Open(group, request.key(), caller.deadline));
  const bool completed = change.record() != nullptr && IsCompleted(*change.record());
  RETURN_IF_ERROR(PutCompletion(caller, request, change));
  RETURN_IF_ERROR(store_->Write(change));
  v1::CompleteClaimResponse response;
  response.set_changed(!completed);
  SetTimeUs(change.record()->end_us(), response.mutable_end_time());
  return response;
}

absl::StatusOr<ClaimChange> ClaimRegistry::PrepareComplete(
    const Caller& caller, const v1::CompleteClaimRequest& request) {
  ASSIGN_OR_RETURN(const GroupId group, GroupOf(caller, request));
  ASSIGN_OR_RETURN(ClaimChange change, store_->TryOpen(group, request.key()));
  RETURN_IF_ERROR(PutCompletion(caller, request, change));
  return change;
}

absl::StatusOr<v1::ReleaseClaimResponse> ClaimRegistry::Release(
    const Caller& caller, const v1::ReleaseClaimRequest& request) {
  if (request.force()) {
    RETURN_IF_ERROR(deps_.authorizer.Authorize(caller, Verb::kAdminGroups,
                                               {ResourceKind::kGroup, request.group()}));
  }
  ASSIGN_OR_RETURN(const GroupId group,
                   deps_.groups.GetId(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(CheckClaimKey(request.key()));
  std::string token;
  if (!request.force()) {
    ASSIGN_OR_RETURN(token, ParseClaimToken(request.token()));
  }
  ASSIGN_OR_RETURN(ClaimChange change, store_->Open(group, request.key(), caller.deadline));
  if (change.record() == nullptr) return NoClaim(request.group());
  if (!request.force()) {
    ASSIGN_OR_RETURN(const ClaimRecord held, HeldClaim(change, request.group(), token));
    if (IsCompleted(held)) {
      return Error(v1::ALREADY_SETTLED,
                   "the claim is completed: it can be released by force only, which forgets its "
                   "result",
                   {{"group", request.group()}});
    }
  }
  RETURN_IF_ERROR(CheckDeadline(caller));
  RETURN_IF_ERROR(store_->Remove(change, caller.deadline));
  RETURN_IF_ERROR(store_->Write(change));
  return v1::ReleaseClaimResponse();
}

absl::StatusOr<v1::GetClaimResponse> ClaimRegistry::Get(const Caller& caller,
                                                        const v1::GetClaimRequest& request) {
  ASSIGN_OR_RETURN(const GroupId group,
                   deps_.groups.GetId(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(CheckClaimKey(request.key()));
  ASSIGN_OR_RETURN(const ClaimChange change, store_->Open(group, request.key(), caller.deadline));
  if (change.record() == nullptr) return NoClaim(request.group());
  v1::GetClaimResponse response;
  *response.mutable_claim() =
      DescribeClaim(request.key(), *change.record(), change.now_us(), /*whole=*/true);
  return response;
}

absl::StatusOr<v1::ListClaimsResponse> ClaimRegistry::List(
    const Caller& caller, const v1::ListClaimsRequest& request) const {
  ASSIGN_OR_RETURN(const GroupId group,
                   deps_.groups.GetId(caller, request.tenant(), request.group()));
  RowRange page{Family::kState, QueueRows(kClaimRows, group), "", 0, kListedBytes};
  ASSIGN_OR_RETURN(page.max_rows, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string after, ParseClaimPageToken(request.page_token()));
  if (!after.empty()) page.after = ClaimRow(group, after);
  ASSIGN_OR_RETURN(const RowList rows, deps_.engine.LoadRows(page));
  const int64_t now_us = absl::ToUnixMicros(deps_.engine.Now());
  v1::ListClaimsResponse response;
  std::string key;
  for (const auto& [row, value] : rows) {
    ASSIGN_OR_RETURN(key, ParseClaimRow(group, row));
    ASSIGN_OR_RETURN(const ClaimRecord record, ParseClaimRecord(value));
    if (HasEnded(record, now_us)) continue;
    *response.add_claims() = DescribeClaim(key, record, now_us, /*whole=*/false);
  }
  if (rows.empty()) return response;
  page.after = rows.back().first;
  page.max_rows = 1;
  ASSIGN_OR_RETURN(const RowList more, deps_.engine.LoadRows(page));
  if (!more.empty()) response.set_next_page_token(MakePageToken(key));
  return response;
}

std::vector<ClaimRegistry::Figures> ClaimRegistry::Measure() const {
  std::vector<Figures> all;
  for (const ClaimCounts::Figures& counts : store_->counts().All()) {
    std::optional<std::string> name = deps_.groups.NameOf(counts.group);
    if (name.has_value()) all.push_back({*std::move(name), counts});
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.group < b.group; });
  return all;
}

}  // namespace acta
