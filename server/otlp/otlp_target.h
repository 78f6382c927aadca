#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace acta {

// HOST:PORT and whether it is encrypted. Errors: INVALID_ARGUMENT.
struct OtlpTarget {
  std::string address;
  bool encrypted = false;
};
absl::StatusOr<OtlpTarget> ParseOtlpEndpoint(absl::string_view endpoint);

}  // namespace acta
