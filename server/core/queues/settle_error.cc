#include "server/core/queues/settle_error.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace acta {
namespace {

absl::Status LeaseTooLong(std::optional<absl::Duration> extension) {
  ErrorDetails details = {{"limit", "max_lease_hours"},
                          {"limit_value", absl::StrCat(absl::ToInt64Hours(kMostExtension))}};
  std::string asked = "the extension";
  if (extension.has_value()) {
    asked = absl::StrCat("an extension of ", absl::FormatDuration(*extension));
    details.emplace_back("value", absl::StrCat(absl::ToDoubleHours(*extension)));
  }
  return Error(v1::LIMIT_EXCEEDED,
               absl::StrCat(asked, " would make the lease longer than ",
                            absl::FormatDuration(kMostExtension),
                            " in all: extend it by less, or settle the event"),
               std::move(details));
}

}  // namespace

absl::Status SettleError(SettleOutcome outcome, std::optional<absl::Duration> extension) {
  switch (outcome) {
    case SettleOutcome::kAlreadySettled:
      return Error(v1::ALREADY_SETTLED,
                   "these events were processed, became dead letters, were skipped or expired "
                   "before: nothing was changed");
    case SettleOutcome::kNeverLeased:
      return Error(v1::NEVER_LEASED,
                   "these events were not delivered yet: settle what was delivered");
    case SettleOutcome::kTooLong:
      return LeaseTooLong(extension);
    case SettleOutcome::kLeaseLost:
    case SettleOutcome::kDone:
      break;
  }
  return Error(v1::LEASE_LOST,
               "the lease ran out, or was given back, or another member has these events: drop "
               "what was made of them");
}

absl::Status AtEvent(const absl::Status& status, PartitionId partition, Offset offset) {
  return WithDetails(status, {{"topic_id", absl::StrCat(partition.topic().value())},
                              {"partition", absl::StrCat(partition.partition())},
                              {"offset", absl::StrCat(offset.value())}});
}

absl::Status StepError(absl::Span<const SettleFailure> failures, absl::Span<const HeldRun> runs) {
  if (failures.empty()) return absl::OkStatus();
  const SettleFailure& first = failures.front();
  return AtEvent(SettleError(first.outcome), runs[first.index].partition, first.first);
}

}  // namespace acta
