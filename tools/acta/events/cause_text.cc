#include "tools/acta/events/cause_text.h"

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace acta::cli {

std::string CauseText(const Cause& cause) {
  if (cause.event.delivery_token().empty()) return "";
  return absl::StrCat(absl::WebSafeBase64Escape(cause.event.delivery_token()), "@",
                      cause.event.offset(), "@", cause.server);
}

absl::StatusOr<Cause> ParseCause(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('@', 2));
  Cause cause;
  int64_t offset = 0;
  const bool good = parts.size() == 3 && !parts[2].empty() &&
                    absl::WebSafeBase64Unescape(parts[0], cause.event.mutable_delivery_token()) &&
                    !cause.event.delivery_token().empty() && absl::SimpleAtoi(parts[1], &offset);
  if (!good) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text,
                     "' is no cause; give what ACTA_CAUSED_BY had in the command of `acta "
                     "subscribe --exec`"));
  }
  cause.event.set_offset(offset);
  cause.server = std::string(parts[2]);
  return cause;
}

}  // namespace acta::cli
