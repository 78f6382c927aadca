#include "server/core/claims/claim_store.h"

#include <utility>
#include <vector>

#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "server/core/claims/claim_record.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"
#include "storage/submit_and_wait.h"
#include "storage/visit_rows.h"

namespace acta {
namespace {

constexpr size_t kSweptAtOnce = 1'000;
constexpr size_t kPageBytes = 1 << 20;

absl::Status WriteRows(LogEngine& engine, std::vector<RowWrite> rows) {
  Transaction transaction;
  transaction.rows = std::move(rows);
  transaction.atomic = true;
  transaction.level = Level::kFsync;
  return SubmitAndWait(engine, std::move(transaction)).status;
}

}  // namespace

absl::StatusOr<ClaimChange> ClaimStore::Open(GroupId group, const std::string& key,
                                             absl::Duration deadline) {
  ASSIGN_OR_RETURN(ClaimTurn turn, turns_->Take(ClaimRow(group, key), deadline));
  return Load(std::move(turn), group, key);
}

absl::StatusOr<ClaimChange> ClaimStore::TryOpen(GroupId group, const std::string& key) {
  std::optional<ClaimTurn> turn = turns_->TryTake(ClaimRow(group, key));
  if (turn.has_value()) return Load(*std::move(turn), group, key);
  return Error(v1::CONCURRENT_CHANGE, "another call changes this claim at the moment: try again");
}

absl::StatusOr<ClaimChange> ClaimStore::Load(ClaimTurn turn, GroupId group,
                                             const std::string& key) const {
  ASSIGN_OR_RETURN(const auto rows, engine_.LoadRows(Family::kState, ClaimRow(group, key)));
  std::optional<ClaimChange::Record> stored;
  if (!rows.empty()) {
    ASSIGN_OR_RETURN(stored, ParseClaimRecord(rows.front().second));
  }
  return ClaimChange(std::move(turn), counts_, group, key, std::move(stored),
                     absl::ToUnixMicros(engine_.Now()));
}

absl::StatusOr<int64_t> ClaimStore::Count(GroupId group) const {
  return CountRows(engine_, Family::kState, QueueRows(kClaimEndRows, group));
}

absl::Status ClaimStore::KnowCount(GroupId group, absl::Duration deadline) {
  return counts_->Know(
      group, [&] { return Count(group); }, deadline);
}

absl::Status ClaimStore::Put(ClaimChange& change, ClaimChange::Record record,
                             absl::Duration deadline) {
  RETURN_IF_ERROR(KnowCount(change.group(), deadline));
  const int64_t most = limits_.max_claims_per_group;
  if (change.Put(record, most)) return absl::OkStatus();
  std::string after;
  RETURN_IF_ERROR(SweepPage(change.group(), change.now_us(), &after).status());
  if (change.Put(std::move(record), most)) return absl::OkStatus();
  return LimitExceeded("the group would have claims:", most + 1, "limits.claims_per_group", most);
}

absl::Status ClaimStore::Remove(ClaimChange& change, absl::Duration deadline) {
  RETURN_IF_ERROR(KnowCount(change.group(), deadline));
  change.Remove();
  return absl::OkStatus();
}

absl::Status ClaimStore::Write(ClaimChange& change) {
  std::vector<RowWrite> rows = change.TakeRows();
  const absl::Status written =
      rows.empty() ? absl::OkStatus() : WriteRows(engine_, std::move(rows));
  change.Finish(written);
  return written;
}

absl::StatusOr<ClaimStore::Swept> ClaimStore::SweepPage(GroupId group,
                                                        std::optional<int64_t> until_us,
                                                        std::string* after) {
  const RowRange page{Family::kState, QueueRows(kClaimEndRows, group), *after, kSweptAtOnce,
                      kPageBytes};
  ASSIGN_OR_RETURN(const auto found, engine_.LoadRows(page));
  Swept swept;
  swept.more = !found.empty();
  std::vector<ClaimTurn> turns;
  std::vector<RowWrite> rows;
  for (const auto& [row, value] : found) {
    ASSIGN_OR_RETURN(const ClaimEnd end, ParseClaimEndRow(row));
    if (until_us.has_value() && end.end_us > *until_us) {
      swept.more = false;
      break;
    }
    *after = row;
    std::string claim = ClaimRow(group, end.key);
    std::optional<ClaimTurn> turn = turns_->TryTake(claim);
    if (!turn.has_value()) continue;
    // It may have been changed between the reading and the turn: then this row is gone.
    ASSIGN_OR_RETURN(const auto still, engine_.LoadRows(Family::kState, row));
    if (still.empty()) continue;
    turns.push_back(*std::move(turn));
    rows.push_back({Family::kState, std::move(claim), std::nullopt});
    rows.push_back({Family::kState, row, std::nullopt});
  }
  if (turns.empty()) return swept;
  if (until_us.has_value()) RETURN_IF_ERROR(KnowCount(group, absl::InfiniteDuration()));
  RETURN_IF_ERROR(WriteRows(engine_, std::move(rows)));
  swept.forgotten = static_cast<int64_t>(turns.size());
  counts_->Subtract(group, swept.forgotten);
  return swept;
}

}  // namespace acta
