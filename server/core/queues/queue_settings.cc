#include "server/core/queues/queue_settings.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

using google::protobuf::Duration;

absl::Status OutOfBounds(absl::string_view field, absl::string_view value, absl::string_view least,
                         absl::string_view most) {
  return Error(v1::INVALID_ARGUMENT,
               absl::StrCat("queue.", field, " ", value, " is not between ", least, " and ", most),
               {{"field", absl::StrCat("queue.", field)}, {"value", std::string(value)}});
}

// Microseconds are what is kept.
absl::Status CheckDuration(absl::string_view field, absl::Duration least, absl::Duration most,
                           Duration* value) {
  const absl::Duration duration = absl::Trunc(ToDuration(*value), absl::Microseconds(1));
  SetDuration(duration, value);
  if (duration >= least && duration <= most) return absl::OkStatus();
  return OutOfBounds(field, absl::FormatDuration(duration), absl::FormatDuration(least),
                     absl::FormatDuration(most));
}

template <typename Number>
absl::Status CheckNumber(absl::string_view field, Number value, Number least, Number most) {
  if (value >= least && value <= most) return absl::OkStatus();  // Not for NaN.
  return OutOfBounds(field, absl::StrCat(value), absl::StrCat(least), absl::StrCat(most));
}

absl::Status UnknownValue(absl::string_view field, int value, absl::string_view known) {
  return Error(v1::UNKNOWN_ENUM_VALUE,
               absl::StrCat("queue.", field, " ", value, " is not known: use ", known),
               {{"field", absl::StrCat("queue.", field)}, {"value", absl::StrCat(value)}});
}

absl::Status SettleWords(v1::QueueSettings* s) {
  if (!v1::QueueOrder_IsValid(s->order())) {
    return UnknownValue("order", s->order(), "UNORDERED, KEY or KEY_RELAXED");
  }
  if (!v1::OnExhausted_IsValid(s->on_exhausted())) {
    return UnknownValue("on_exhausted", s->on_exhausted(), "DEAD_LETTER or HOLD_KEY");
  }
  if (s->order() == v1::QUEUE_ORDER_UNSPECIFIED) s->set_order(v1::QUEUE_ORDER_UNORDERED);
  if (s->on_exhausted() == v1::ON_EXHAUSTED_UNSPECIFIED) {
    s->set_on_exhausted(s->order() == v1::QUEUE_ORDER_KEY ? v1::ON_EXHAUSTED_HOLD_KEY
                                                          : v1::ON_EXHAUSTED_DEAD_LETTER);
  }
  return absl::OkStatus();
}

void FillIn(v1::QueueSettings* s) {
  const QueuePolicy policy;
  const Backoff& backoff = policy.backoff;
  if (!s->has_lease()) SetDuration(policy.lease, s->mutable_lease());
  if (!s->has_max_attempts()) s->set_max_attempts(policy.max_attempts);
  if (!s->has_backoff_initial()) SetDuration(backoff.initial, s->mutable_backoff_initial());
  if (!s->has_backoff_max()) SetDuration(backoff.max, s->mutable_backoff_max());
  if (!s->has_backoff_factor()) s->set_backoff_factor(backoff.factor);
  if (!s->has_backoff_jitter()) s->set_backoff_jitter(backoff.jitter);
  if (!s->has_dead_letter_retention()) {
    SetDuration(absl::Hours(24 * 30), s->mutable_dead_letter_retention());
  }
  if (!s->has_max_dead_letters()) s->set_max_dead_letters(QueueBudget().max_dead_letters);
}

}  // namespace

absl::Status SettleQueueSettings(v1::QueueSettings* settings) {
  constexpr absl::Duration kTick = absl::Milliseconds(10);
  constexpr absl::Duration kDay = absl::Hours(24);
  v1::QueueSettings* const s = settings;
  RETURN_IF_ERROR(SettleWords(s));
  FillIn(s);
  RETURN_IF_ERROR(
      CheckDuration("lease", absl::Seconds(1), QueuePolicy().longest_lease, s->mutable_lease()));
  RETURN_IF_ERROR(CheckNumber("max_attempts", s->max_attempts(), 1, 1000));
  RETURN_IF_ERROR(CheckDuration("backoff_initial", kTick, kDay, s->mutable_backoff_initial()));
  RETURN_IF_ERROR(CheckDuration("backoff_max", kTick, 30 * kDay, s->mutable_backoff_max()));
  RETURN_IF_ERROR(CheckNumber("backoff_factor", s->backoff_factor(), 1.0, 100.0));
  RETURN_IF_ERROR(CheckNumber("backoff_jitter", s->backoff_jitter(), 0.0, 1.0));
  RETURN_IF_ERROR(CheckDuration("dead_letter_retention", absl::Minutes(1), 400 * kDay,
                                s->mutable_dead_letter_retention()));
  return CheckNumber<int64_t>("max_dead_letters", s->max_dead_letters(), 1, 1'000'000);
}

QueuePolicy PolicyOf(const v1::QueueSettings& settings) {
  QueuePolicy policy;
  policy.order = settings.order() == v1::QUEUE_ORDER_KEY           ? QueueOrder::kKey
                 : settings.order() == v1::QUEUE_ORDER_KEY_RELAXED ? QueueOrder::kKeyRelaxed
                                                                   : QueueOrder::kUnordered;
  policy.on_exhausted = settings.on_exhausted() == v1::ON_EXHAUSTED_HOLD_KEY
                            ? OnExhausted::kHoldKey
                            : OnExhausted::kDeadLetter;
  policy.lease = ToDuration(settings.lease());
  policy.max_attempts = settings.max_attempts();
  policy.backoff.initial = ToDuration(settings.backoff_initial());
  policy.backoff.factor = settings.backoff_factor();
  policy.backoff.max = ToDuration(settings.backoff_max());
  policy.backoff.jitter = settings.backoff_jitter();
  return policy;
}

}  // namespace acta
