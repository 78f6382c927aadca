#include "tests/crash/torn_engine.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/match.h"
#include "acta/storage/v1/records.pb.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

bool IsPosition(const RowWrite& row) { return absl::StartsWith(row.key, kPositionRows); }

// Nothing else writes positions with their reset in one atomic call without events.
bool IsReset(const Transaction& transaction) {
  if (!transaction.atomic || !transaction.appends.empty()) return false;
  return std::any_of(transaction.rows.begin(), transaction.rows.end(), [](const RowWrite& row) {
    storage::v1::PositionRecord record;
    return IsPosition(row) && row.value.has_value() && record.ParseFromString(*row.value) &&
           !record.reset_reason().empty();
  });
}

}  // namespace

absl::Status TornEngine::Submit(Transaction transaction) {
  const bool step = !transaction.appends.empty() && !transaction.rows.empty();
  if (tear_ == StepTear::kReset && IsReset(transaction)) return TearReset(std::move(transaction));
  const bool tears_steps = tear_ == StepTear::kResultFirst || tear_ == StepTear::kStateFirst ||
                           tear_ == StepTear::kTwice;
  if (tears_steps && step) return TearStep(std::move(transaction));
  return engine_.Submit(std::move(transaction));
}

absl::Status TornEngine::TearStep(Transaction transaction) {
  Transaction first;
  first.atomic = true;
  if (tear_ == StepTear::kStateFirst) {
    first.rows = std::exchange(transaction.rows, {});
  } else {
    first.appends = transaction.appends;
  }
  TransactionResult result = Commit(engine_, std::move(first));
  if (!result.status.ok()) return result.status;
  if (tear_ == StepTear::kResultFirst) {
    transaction.appends.clear();
    transaction.done = [appends = std::move(result.appends),
                        done = std::move(transaction.done)](TransactionResult rows) mutable {
      rows.appends = std::move(appends);
      done(std::move(rows));
    };
  }
  return engine_.Submit(std::move(transaction));
}

absl::Status TornEngine::TearReset(Transaction transaction) {
  std::vector<RowWrite>& rows = transaction.rows;
  Transaction first;
  first.atomic = true;
  const auto rest = std::stable_partition(rows.begin(), rows.end(), IsPosition);
  first.rows.assign(std::make_move_iterator(rows.begin()), std::make_move_iterator(rest));
  rows.erase(rows.begin(), rest);
  TransactionResult result = Commit(engine_, std::move(first));
  if (!result.status.ok()) return result.status;
  if (!rows.empty()) return engine_.Submit(std::move(transaction));
  transaction.done(std::move(result));
  return absl::OkStatus();
}

absl::StatusOr<RowList> TornEngine::LoadRows(const RowRange& range) const {
  ASSIGN_OR_RETURN(RowList rows, engine_.LoadRows(range));
  if (tear_ != StepTear::kFreeHeld) return rows;
  for (auto& [key, value] : rows) {
    storage::v1::ParkedRecord record;
    const bool held = absl::StartsWith(key, kParkedRows) && record.ParseFromString(value) &&
                      record.state() == storage::v1::ParkedRecord::HELD;
    if (!held) continue;
    record.mutable_facts()->clear_key();
    value = record.SerializeAsString();
  }
  return rows;
}

}  // namespace acta
