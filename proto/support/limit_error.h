#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/support/error.h"

namespace acta {

// A value above a limit: "WHAT 1025, above limits.key of 1024; ADVICE", with the details `limit`,
// `limit_value` and `value` after `details`. A limit that a property sets has the property's name;
// one with a name without a dot is a field of what it limits, or fixed.
struct LimitError {
  v1::ErrorReason reason;
  absl::string_view what;
  uint64_t value;
  absl::string_view limit;
  uint64_t limit_value;
  absl::string_view advice;

  absl::Status Make(ErrorDetails details = {}) const;
};

// LIMIT_EXCEEDED, for a limit that is a property or fixed.
absl::Status LimitExceeded(absl::string_view what, int64_t value, absl::string_view limit,
                           int64_t limit_value);

}  // namespace acta
