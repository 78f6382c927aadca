// What a client says of the events it leased.
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "server/core/queues/settle_error.h"
#include "server/core/queues/settlement_rules.h"
#include "server/core/subscribe/queue_feed.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

v1::ControlError ErrorOf(const v1::Settlement& settlement, const absl::Status& status) {
  v1::ControlError error;
  error.set_assignment(settlement.assignment());
  error.set_offset(settlement.offset());
  error.set_count(std::max(1, settlement.count()));
  *error.mutable_status() = ToProto(status);
  return error;
}

absl::Status CheckSizes(const v1::Settle& settle) {
  if (settle.settlements().empty()) {
    return Error(v1::INVALID_ARGUMENT, "settlements: there is none", {{"field", "settlements"}});
  }
  if (settle.settlements_size() > kMaxSettlements) {
    return LimitExceeded("the frame has settlements:", settle.settlements_size(),
                         "max_settlements_per_frame", kMaxSettlements);
  }
  int64_t events = 0;
  for (const v1::Settlement& settlement : settle.settlements()) {
    events += std::max(1, settlement.count());
  }
  if (events <= kMaxSettledEvents) return absl::OkStatus();
  return LimitExceeded("the frame settles events:", events, "max_settled_events_per_frame",
                       kMaxSettledEvents);
}

}  // namespace

absl::Status QueueFeed::ToSettlement(const v1::Settlement& from, QueueSettlement* to) const {
  const auto handle = handles_.find(from.assignment());
  if (handle == handles_.end()) {
    return Error(v1::FENCED,
                 absl::StrCat("assignment ", from.assignment(),
                              " is not one of this stream: drop what was delivered with it"),
                 {{"assignment", absl::StrCat(from.assignment())}});
  }
  ASSIGN_OR_RETURN(*to, ReadSettlement(from));
  to->partition = handle->second;
  return absl::OkStatus();
}

std::vector<v1::ControlError> QueueFeed::Settle(const v1::Settle& settle, Done done) {
  std::vector<v1::ControlError> errors;
  if (const absl::Status status = CheckSizes(settle); !status.ok()) {
    done(status);
    return errors;
  }
  std::vector<QueueSettlement> settlements;
  std::vector<int> indexes;
  for (int i = 0; i < settle.settlements_size(); ++i) {
    QueueSettlement settlement;
    const absl::Status status = ToSettlement(settle.settlements(i), &settlement);
    if (!status.ok()) {
      errors.push_back(ErrorOf(settle.settlements(i), status));
      continue;
    }
    settlements.push_back(std::move(settlement));
    indexes.push_back(i);
  }
  for (const SettleFailure& failure : queue_.Settle(session_, settlements, std::move(done))) {
    v1::Settlement named = settle.settlements(indexes[failure.index]);
    named.set_offset(failure.first.value());
    named.set_count(failure.count);
    errors.push_back(
        ErrorOf(named, SettleError(failure.outcome, settlements[failure.index].delay)));
  }
  return errors;
}

}  // namespace acta
