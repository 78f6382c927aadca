#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/v1/publisher.pb.h"

namespace acta::cli {

// An event that was delivered, as what causes others.
struct Cause {
  v1::CausedBy event;
  std::string server;  // Whose delivery it was: it means nothing to another.
};

// In one word: the delivery's token in base64 for the web, '@', the offset, '@' and the server's
// address. Empty: there is none.
std::string CauseText(const Cause& cause);
// Errors: INVALID_ARGUMENT.
absl::StatusOr<Cause> ParseCause(absl::string_view text);

}  // namespace acta::cli
