#include "tests/oracle/queue_mutants.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "acta/storage/v1/records.pb.h"
#include "storage/layout/rows.h"

namespace acta::oracle {
namespace {

// False: the row is left out.
bool BreakParkedRow(Mutation mutation, size_t index, std::string* value) {
  storage::v1::ParkedRecord record;
  if (!record.ParseFromString(*value)) return true;
  if (mutation == Mutation::kForgetParked) return index % 2 == 0;
  if (mutation == Mutation::kFreeHeld && record.state() == storage::v1::ParkedRecord::HELD) {
    record.mutable_facts()->clear_key();
    *value = record.SerializeAsString();
  }
  if (record.attempts() == 0) return true;
  if (mutation == Mutation::kDueNow) record.set_due_us(0);
  if (mutation == Mutation::kCountAgain) record.set_attempts(record.attempts() + 1);
  *value = record.SerializeAsString();
  return true;
}

}  // namespace

void BreakWrittenRows(Mutation mutation, int64_t every, int64_t* written,
                      Transaction* transaction) {
  const bool step = transaction->leave_out_duplicates && !transaction->appends.empty();
  for (RowWrite& row : transaction->rows) {
    const bool position = absl::StartsWith(row.key, kPositionRows);
    const bool letter = absl::StartsWith(row.key, kDeadLetterRows);
    *written += position;
    const bool drops = (mutation == Mutation::kForgetPositions && position && *written > every) ||
                       (mutation == Mutation::kDropLetters && letter) ||
                       (mutation == Mutation::kTearSteps && step);
    if (drops) row.key = absl::StrCat("dropped/", row.key);
  }
}

void BreakLoadedRows(Mutation mutation, std::vector<std::pair<std::string, std::string>>* rows) {
  const bool parked = mutation == Mutation::kForgetParked || mutation == Mutation::kDueNow ||
                      mutation == Mutation::kCountAgain || mutation == Mutation::kFreeHeld;
  if (!parked) return;
  size_t index = 0;
  std::erase_if(*rows, [&](auto& row) {
    return absl::StartsWith(row.first, kParkedRows) &&
           !BreakParkedRow(mutation, index++, &row.second);
  });
}

}  // namespace acta::oracle
