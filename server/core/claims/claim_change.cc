#include "server/core/claims/claim_change.h"

#include "server/core/claims/claim_record.h"
#include "storage/layout/rows.h"

namespace acta {

ClaimChange::ClaimChange(ClaimTurn turn, std::shared_ptr<ClaimCounts> counts, GroupId group,
                         std::string key, std::optional<Record> stored, int64_t now_us)
    : turn_(std::move(turn)),
      counts_(std::move(counts)),
      group_(group),
      key_(std::move(key)),
      stored_(std::move(stored)),
      now_us_(now_us) {}

ClaimChange::~ClaimChange() {
  if (counts_ != nullptr) Finish(absl::CancelledError("dropped"));
}

const ClaimChange::Record* ClaimChange::record() const {
  if (put_.has_value()) return &*put_;
  return stored_.has_value() && !HasEnded(*stored_, now_us_) ? &*stored_ : nullptr;
}

bool ClaimChange::Put(Record record, int64_t most) {
  if (!on_disk() && !added_) {
    if (!counts_->TryAdd(group_, most)) return false;
    added_ = true;
  }
  put_ = std::move(record);
  return true;
}

void ClaimChange::Remove() { removed_ = on_disk(); }

std::vector<RowWrite> ClaimChange::TakeRows() {
  std::vector<RowWrite> rows;
  if (!put_.has_value() && !removed_) return rows;
  if (on_disk()) {
    rows.push_back({Family::kState, ClaimEndRow(group_, stored_->end_us(), key_), std::nullopt});
  }
  if (removed_) {
    rows.push_back({Family::kState, ClaimRow(group_, key_), std::nullopt});
    return rows;
  }
  // Behind the deletion: the time may be the same.
  rows.push_back({Family::kState, ClaimEndRow(group_, put_->end_us(), key_), std::string()});
  rows.push_back({Family::kState, ClaimRow(group_, key_), put_->SerializeAsString()});
  return rows;
}

void ClaimChange::Finish(const absl::Status& written) {
  if (written.ok() ? removed_ : added_) counts_->Subtract(group_, 1);
  if (written.ok() && removed_) {
    counts_->Tally(group_, ClaimOutcome::kReleased);
  } else if (written.ok() && put_.has_value()) {
    counts_->Tally(group_, IsCompleted(*put_) ? ClaimOutcome::kCompleted : ClaimOutcome::kFirst);
  }
  removed_ = added_ = false;
  turn_.GiveBack();
}

}  // namespace acta
