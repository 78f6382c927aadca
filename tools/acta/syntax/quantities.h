#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace acta::cli {

// How people write durations, sizes and times on the command line.
//
// Threads: any. Errors: a usage error that names the text and shows the accepted forms.

// "7d", "10m", "1h30m", "250ms"; units w d h m s ms us. Never negative.
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text);

// "10GiB", "64KiB", "5MB", "1000"; binary and decimal units. Never negative.
absl::StatusOr<int64_t> ParseSize(absl::string_view text);

// False unless `text` is RFC 3339.
bool ParseRfc3339(absl::string_view text, absl::Time* time);

// RFC 3339, or "-15m": that long before `now`.
absl::StatusOr<absl::Time> ParseTime(absl::string_view text, absl::Time now);

// True for what ParseTime may accept and no number can be: "-15m", "2018-02-04T12:00:00Z".
bool LooksLikeTime(absl::string_view text);

}  // namespace acta::cli
