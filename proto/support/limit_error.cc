#include "proto/support/limit_error.h"

#include <string>
#include <utility>

#include "absl/strings/match.h"
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

absl::Status LimitExceeded(absl::string_view what, int64_t value, absl::string_view limit,
                           int64_t limit_value) {
  const bool property = absl::StrContains(limit, '.');
  return LimitError{v1::LIMIT_EXCEEDED,
                    what,
                    static_cast<uint64_t>(value),
                    limit,
                    static_cast<uint64_t>(limit_value),
                    property ? "use less, or raise the property" : "use less: the limit is fixed"}
      .Make();
}

}  // namespace acta
