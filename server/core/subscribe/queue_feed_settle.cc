// What a client says of the events it leased.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "proto/support/proto_time.h"
#include "server/core/queues/settle_error.h"
#include "server/core/subscribe/queue_feed.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr size_t kMaxReasonBytes = 64;
constexpr size_t kMaxTextBytes = 1024;
constexpr absl::Duration kMostNackDelay = absl::Hours(24 * 30);

absl::Status BadField(absl::string_view field, absl::string_view what) {
  return Error(v1::INVALID_ARGUMENT, absl::StrCat(field, ": ", what),
               {{"field", std::string(field)}});
}

bool IsReasonWord(absl::string_view reason) {
  return std::all_of(reason.begin(), reason.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
}

absl::Status CheckDelay(const v1::Settlement& settlement) {
  if (!settlement.has_delay()) return absl::OkStatus();
  const absl::Duration delay = ToDuration(settlement.delay());
  const bool nack = settlement.kind() == v1::SETTLE_KIND_NACK;
  if (!nack && settlement.kind() != v1::SETTLE_KIND_EXTEND) {
    return BadField("delay", "only NACK and EXTEND have one");
  }
  const absl::Duration least = nack ? absl::ZeroDuration() : absl::Milliseconds(1);
  const absl::Duration most = nack ? kMostNackDelay : kMostExtension;
  if (delay >= least && delay <= most) return absl::OkStatus();
  return BadField("delay",
                  absl::StrCat(absl::FormatDuration(delay), " is not between ",
                               absl::FormatDuration(least), " and ", absl::FormatDuration(most)));
}

absl::Status CheckWords(const v1::Settlement& settlement) {
  const bool failed =
      settlement.kind() == v1::SETTLE_KIND_NACK || settlement.kind() == v1::SETTLE_KIND_REJECT;
  if (!failed && !(settlement.reason().empty() && settlement.text().empty())) {
    return BadField("reason", "only NACK and REJECT have a reason and a text");
  }
  if (settlement.reason().size() > kMaxReasonBytes || !IsReasonWord(settlement.reason())) {
    return BadField("reason", absl::StrCat("a word of at most ", kMaxReasonBytes,
                                           " of [a-zA-Z0-9._-] is wanted: tell more in `text`"));
  }
  if (settlement.text().size() <= kMaxTextBytes) return absl::OkStatus();
  return LimitExceeded("the text has bytes:", static_cast<int64_t>(settlement.text().size()),
                       "max_settle_text_bytes", static_cast<int64_t>(kMaxTextBytes));
}

absl::StatusOr<QueueSettlement::Kind> KindOf(const v1::Settlement& settlement) {
  using Kind = QueueSettlement::Kind;
  switch (settlement.kind()) {
    case v1::SETTLE_KIND_ACK:
      return Kind::kAck;
    case v1::SETTLE_KIND_NACK:
      return Kind::kNack;
    case v1::SETTLE_KIND_REJECT:
      return Kind::kReject;
    case v1::SETTLE_KIND_EXTEND:
      return Kind::kExtend;
    case v1::SETTLE_KIND_RELEASE:
      return Kind::kRelease;
    default:
      return Error(v1::UNKNOWN_ENUM_VALUE,
                   absl::StrCat("kind ", static_cast<int>(settlement.kind()),
                                " is not known: use ACK, NACK, REJECT, EXTEND or RELEASE"),
                   {{"field", "kind"}, {"value", absl::StrCat(settlement.kind())}});
  }
}

v1::ControlError ErrorOf(const v1::Settlement& settlement, const absl::Status& status) {
  v1::ControlError error;
  error.set_assignment(settlement.assignment());
  error.set_offset(settlement.offset());
  error.set_count(std::max(1, settlement.count()));
  *error.mutable_status() = ToProto(status);
  return error;
}

absl::Status CheckSizes(const v1::Settle& settle) {
  if (settle.settlements().empty()) return BadField("settlements", "there is none");
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
                 absl::StrCat("assignment ", from.assignment(), " is not one of this stream"),
                 {{"assignment", absl::StrCat(from.assignment())}});
  }
  if (from.count() < 0 || from.offset() < 0) {
    return BadField("offset", "offset and count are never negative");
  }
  ASSIGN_OR_RETURN(to->kind, KindOf(from));
  RETURN_IF_ERROR(CheckDelay(from));
  RETURN_IF_ERROR(CheckWords(from));
  to->partition = handle->second;
  to->offset = Offset(from.offset());
  to->count = std::max(1, from.count());
  if (from.has_delay()) to->delay = ToDuration(from.delay());
  to->reason = from.reason();
  to->text = from.text();
  return absl::OkStatus();
}

void QueueFeed::Settle(const v1::Settle& settle, Done done) {
  if (const absl::Status status = CheckSizes(settle); !status.ok()) return done(status, {});
  std::vector<v1::ControlError> errors;
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
  // It may be called back before it returns, on another thread: what both have is shared.
  struct Shared {
    Mutex mu;
    bool returned ABSL_GUARDED_BY(mu) = false;
    std::optional<absl::Status> status ABSL_GUARDED_BY(mu);
    std::vector<v1::ControlError> errors;
    Done done;
  };
  const auto shared = std::make_shared<Shared>();
  shared->done = std::move(done);
  const auto failures = queue_.Settle(session_, settlements, [shared](const absl::Status& status) {
    {
      MutexLock lock(shared->mu);
      shared->status = status;
      if (!shared->returned) return;
    }
    shared->done(status, std::move(shared->errors));
  });
  for (const SettleFailure& failure : failures) {
    v1::Settlement named = settle.settlements(indexes[failure.index]);
    named.set_offset(failure.first.value());
    named.set_count(failure.count);
    errors.push_back(ErrorOf(named, SettleError(failure.outcome)));
  }
  absl::Status status;
  {
    MutexLock lock(shared->mu);
    shared->returned = true;
    shared->errors = std::move(errors);
    if (!shared->status.has_value()) return;
    status = *shared->status;
  }
  shared->done(status, std::move(shared->errors));
}

}  // namespace acta
