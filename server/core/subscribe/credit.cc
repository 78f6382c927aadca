#include "server/core/subscribe/credit.h"

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

absl::Status Check(absl::string_view what, int64_t have, int64_t more, absl::string_view limit,
                   int64_t max) {
  if (more < 0) {
    return Error(
        v1::INVALID_ARGUMENT,
        absl::StrCat("credit of ", more, " ", what, ": it is never negative; between 0 and ", limit,
                     " of ", max, " may be given"),
        {{"field", absl::StrCat("credit.", what)}});
  }
  if (more <= max && have <= max - more) return absl::OkStatus();
  return Error(v1::LIMIT_EXCEEDED,
               absl::StrCat("credit of ", more, " ", what, " on top of ", have, ": the limit ",
                            limit, " is ", max, "; give back only what you have processed"),
               {{"limit", std::string(limit)},
                {"limit_value", absl::StrCat(max)},
                {"value", absl::StrCat(more)}});
}

}  // namespace

absl::Status Credit::Start(const v1::Credit& initial) {
  v1::Credit credit = initial;
  if (credit.events() == 0) credit.set_events(limits_.default_credit_events);
  if (credit.bytes() == 0) credit.set_bytes(limits_.default_credit_bytes);
  return Add(credit);
}

absl::Status Credit::Add(const v1::Credit& more) {
  RETURN_IF_ERROR(Check("events", events_, more.events(), "limits.max_credit_events",
                        limits_.max_credit_events));
  RETURN_IF_ERROR(
      Check("bytes", bytes_, more.bytes(), "limits.max_credit", limits_.max_credit_bytes));
  events_ += more.events();
  bytes_ += more.bytes();
  return absl::OkStatus();
}

}  // namespace acta
