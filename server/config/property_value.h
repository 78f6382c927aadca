#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace acta {

// Text of property values, both ways: what Format... writes, Parse... reads as the same value.
//
// Errors: INVALID_ARGUMENT saying what to write.

absl::StatusOr<int64_t> ParseInteger(absl::string_view text);
absl::StatusOr<double> ParseNumber(absl::string_view text);
// 10GiB, 64KiB, 5MB, or bytes.
absl::StatusOr<int64_t> ParseBytes(absl::string_view text);
// 7d, 12h, 10m, 1h30m, 30s, 100ms, 0.
absl::StatusOr<absl::Duration> ParseDurationText(absl::string_view text);
// true and false, also as on and off, yes and no, 1 and 0.
absl::StatusOr<bool> ParseSwitch(absl::string_view text);

std::string FormatNumber(double value);
std::string FormatBytes(int64_t value);
std::string FormatDurationText(absl::Duration value);
std::string FormatSwitch(bool value);

}  // namespace acta
