#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace acta {

// Lists by name are answered in pages; what a token holds is nobody's business but ours.

inline constexpr int32_t kDefaultPage = 100;
inline constexpr int32_t kMaxPage = 1000;

// How many a request wants: 0 is kDefaultPage. Errors: INVALID_ARGUMENT outside 0 to kMaxPage.
absl::StatusOr<size_t> PageSize(int32_t wanted);

// Asks for what comes behind the last name of a page.
std::string MakePageToken(absl::string_view last_name);
// That name; "" for no token. `kind` as for ValidateName(). Errors: INVALID_ARGUMENT.
absl::StatusOr<std::string> ParsePageToken(absl::string_view kind, absl::string_view token);

}  // namespace acta
