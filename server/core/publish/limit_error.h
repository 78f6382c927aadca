#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/support/error.h"

namespace acta {

// A value above a limit: "WHAT 1025, above max_key_bytes of 1024; ADVICE", with the details
// `limit`, `limit_value` and `value` after `details`.
struct LimitError {
  v1::ErrorReason reason;
  absl::string_view what;
  uint64_t value;
  absl::string_view limit;
  uint64_t limit_value;
  absl::string_view advice;

  absl::Status Make(ErrorDetails details = {}) const;
};

}  // namespace acta
