#include "server/core/publish/limit_error.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace acta {

absl::Status LimitError::Make(ErrorDetails details) const {
  details.emplace_back("limit", std::string(limit));
  details.emplace_back("limit_value", absl::StrCat(limit_value));
  details.emplace_back("value", absl::StrCat(value));
  return Error(reason,
               absl::StrCat(what, " ", value, ", above ", limit, " of ", limit_value, "; ", advice),
               std::move(details));
}

}  // namespace acta
