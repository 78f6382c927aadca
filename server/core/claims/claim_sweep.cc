#include "server/core/claims/claim_sweep.h"

#include <optional>
#include <string>

#include "server/core/claims/claim_record.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"

namespace acta {
namespace {

// Pages that a turn writes, of 1,000 claims each.
constexpr int kPagesATurn = 8;

}  // namespace

void ClaimSweep::RunAfter(absl::Duration delay) {
  timer_.After(delay, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    const absl::StatusOr<bool> more = self->RunTurn();
    if (!more.ok()) {
      LogWarn("claims that have ended stay for another minute",
              {{"error", more.status().message()}});
    }
    self->RunAfter(more.ok() && *more ? absl::ZeroDuration() : kClaimSweepEvery);
  });
}

absl::StatusOr<bool> ClaimSweep::RunTurn() {
  int pages = 0;
  RowRange first{Family::kState, kClaimEndRows, "", 1};
  while (true) {
    ASSIGN_OR_RETURN(const auto found, engine_.LoadRows(first));
    if (found.empty()) break;
    ASSIGN_OR_RETURN(const ClaimEnd row, ParseClaimEndRow(found.front().first));
    first.after = QueueRows(kClaimEndRows, GroupId(row.group.value() + 1));
    const bool lives = groups_.NameOf(row.group).has_value();
    std::optional<int64_t> until_us;
    if (lives) until_us = absl::ToUnixMicros(engine_.Now());
    if (lives && row.end_us > *until_us) continue;  // The first to end.
    std::string after;
    ClaimStore::Swept swept;
    do {
      if (pages == kPagesATurn) return true;
      ASSIGN_OR_RETURN(swept, store_->SweepPage(row.group, until_us, &after));
      if (swept.forgotten > 0) ++pages;
    } while (swept.more);
  }
  // Also those that had no claims left.
  for (const ClaimCounts::Figures& of : store_->counts().All()) {
    if (!groups_.NameOf(of.group).has_value()) store_->Forget(of.group);
  }
  return false;
}

}  // namespace acta
