#include "tools/acta/events/cause_text.h"

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace acta::cli {

std::string CauseText(const v1::CausedBy& cause) {
  if (cause.delivery_token().empty()) return "";
  return absl::StrCat(absl::WebSafeBase64Escape(cause.delivery_token()), "@", cause.offset());
}

absl::StatusOr<v1::CausedBy> ParseCause(absl::string_view text) {
  const size_t at = text.find('@');
  v1::CausedBy cause;
  int64_t offset = 0;
  const bool good =
      at != absl::string_view::npos && at > 0 &&
      absl::WebSafeBase64Unescape(text.substr(0, at), cause.mutable_delivery_token()) &&
      absl::SimpleAtoi(text.substr(at + 1), &offset);
  if (!good) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text,
                     "' is no cause; give what ACTA_CAUSED_BY had in the command of "
                     "`acta subscribe --exec`"));
  }
  cause.set_offset(offset);
  return cause;
}

}  // namespace acta::cli
