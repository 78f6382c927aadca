#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/v1/publisher.pb.h"

namespace acta::cli {

// An event that was delivered, as what causes others, in one word: the delivery's token in base64
// for the web, '@' and the offset. Empty: there is none.
std::string CauseText(const v1::CausedBy& cause);
// Errors: INVALID_ARGUMENT.
absl::StatusOr<v1::CausedBy> ParseCause(absl::string_view text);

}  // namespace acta::cli
