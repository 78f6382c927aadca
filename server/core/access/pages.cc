#include "server/core/access/pages.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/core/access/names.h"

namespace acta {

absl::StatusOr<size_t> PageSize(int32_t wanted) {
  if (wanted >= 0 && wanted <= kMaxPage) {
    return static_cast<size_t>(wanted == 0 ? kDefaultPage : wanted);
  }
  return Error(v1::INVALID_ARGUMENT,
               absl::StrCat("page_size of ", wanted, " is not between 0 and ", kMaxPage),
               {{"field", "page_size"}, {"most", absl::StrCat(kMaxPage)}});
}

std::string MakePageToken(absl::string_view last_name) {
  return absl::WebSafeBase64Escape(last_name);
}

absl::StatusOr<std::string> ParsePageToken(absl::string_view kind, absl::string_view token) {
  std::string name;
  if (token.empty()) return name;
  if (absl::WebSafeBase64Unescape(token, &name) && ValidateName(kind, name).ok()) return name;
  return Error(v1::INVALID_ARGUMENT,
               absl::StrCat("page_token is not one that a list of ", kind,
                            "s answered: leave it out to begin anew"),
               {{"field", "page_token"}});
}

}  // namespace acta
