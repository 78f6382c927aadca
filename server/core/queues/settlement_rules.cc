#include "server/core/queues/settlement_rules.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "proto/support/proto_time.h"
#include "server/core/queues/settle_error.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr size_t kMaxReasonBytes = 64;
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
  if (!nack && delay > most) return SettleError(SettleOutcome::kTooLong, delay);
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
  if (settlement.text().size() <= kMaxSettleTextBytes) return absl::OkStatus();
  return LimitExceeded("the text has bytes:", static_cast<int64_t>(settlement.text().size()),
                       "max_settle_text_bytes", static_cast<int64_t>(kMaxSettleTextBytes));
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

}  // namespace

absl::StatusOr<QueueSettlement> ReadSettlement(const v1::Settlement& from) {
  if (from.count() < 0 || from.offset() < 0) {
    return BadField("offset", "offset and count are never negative");
  }
  if (Offset(from.offset()) > kMostNamedOffset) return BadField("offset", "no log is so long");
  QueueSettlement to;
  ASSIGN_OR_RETURN(to.kind, KindOf(from));
  RETURN_IF_ERROR(CheckDelay(from));
  RETURN_IF_ERROR(CheckWords(from));
  to.offset = Offset(from.offset());
  to.count = std::max(1, from.count());
  if (from.has_delay()) to.delay = ToDuration(from.delay());
  to.reason = from.reason();
  to.text = from.text();
  return to;
}

}  // namespace acta
