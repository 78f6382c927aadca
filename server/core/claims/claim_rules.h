#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "acta/v1/claims.pb.h"

namespace acta {

struct ClaimLimits {
  int64_t max_claims_per_group = 1'000'000;
};

inline constexpr size_t kMaxClaimKeyBytes = 1024;
inline constexpr size_t kMaxClaimResultBytes = 64 << 10;
inline constexpr size_t kMaxClaimOwnerBytes = 256;  // Of owner, and of request_id.
inline constexpr absl::Duration kLeastClaimLease = absl::Seconds(1);
inline constexpr absl::Duration kDefaultClaimLease = absl::Seconds(30);
inline constexpr absl::Duration kMostClaimLease = absl::Hours(12);
inline constexpr absl::Duration kLeastClaimTtl = absl::Seconds(1);
inline constexpr absl::Duration kDefaultClaimTtl = absl::Hours(24 * 7);
inline constexpr absl::Duration kMostClaimTtl = absl::Hours(24 * 400);
// A claim that nobody took over may still be completed so long after its lease.
inline constexpr absl::Duration kLateCompletion = absl::Hours(1);

// How long a claim may take and how long it is remembered, with defaults filled in.
struct ClaimTerms {
  int64_t lease_us = 0;
  int64_t ttl_us = 0;
};
// Checks all that a request says of itself. Errors: INVALID_ARGUMENT, KEY_TOO_LARGE,
// LIMIT_EXCEEDED.
absl::StatusOr<ClaimTerms> TermsOf(const v1::ClaimRequest& request);

// Errors: INVALID_ARGUMENT for an empty one, KEY_TOO_LARGE.
absl::Status CheckClaimKey(absl::string_view key);
// Errors: LIMIT_EXCEEDED.
absl::Status CheckClaimResult(absl::string_view result);

// Tokens are 16 bytes, and 32 hexadecimal digits on the wire.
std::string DrawClaimToken();
std::string ClaimTokenText(absl::string_view token);
// Errors: INVALID_ARGUMENT.
absl::StatusOr<std::string> ParseClaimToken(absl::string_view text);

// The key behind which a list goes on; "" for no token. Errors: INVALID_ARGUMENT.
absl::StatusOr<std::string> ParseClaimPageToken(absl::string_view token);

}  // namespace acta
