#include "server/core/claims/claim_rules.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "proto/support/proto_time.h"
#include "storage/base/random.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr size_t kTokenBytes = 16;

absl::Status InvalidClaim(absl::string_view field, absl::string_view what) {
  return Error(v1::INVALID_ARGUMENT, absl::StrCat(field, ": ", what),
               {{"field", std::string(field)}});
}

absl::Status CheckClaimWord(absl::string_view field, absl::string_view word) {
  if (word.size() <= kMaxClaimOwnerBytes) return absl::OkStatus();
  return LimitExceeded(absl::StrCat("the ", field, " of the claim has bytes:"),
                       static_cast<int64_t>(word.size()), "max_claim_owner_bytes",
                       static_cast<int64_t>(kMaxClaimOwnerBytes));
}

// In whole microseconds.
absl::StatusOr<int64_t> MicrosWithin(absl::string_view field,
                                     const google::protobuf::Duration& wanted, absl::Duration least,
                                     absl::Duration most) {
  const std::optional<absl::Duration> duration = GetDuration(wanted);
  if (duration.has_value() && *duration >= least && *duration <= most) {
    return absl::ToInt64Microseconds(*duration);
  }
  return Error(v1::INVALID_ARGUMENT,
               absl::StrCat(field, " of ", wanted.seconds(), " s is not between ",
                            absl::FormatDuration(least), " and ", absl::FormatDuration(most)),
               {{"field", std::string(field)},
                {"least", absl::FormatDuration(least)},
                {"most", absl::FormatDuration(most)}});
}

}  // namespace

absl::Status CheckClaimKey(absl::string_view key) {
  if (key.empty()) return InvalidClaim("key", "a claim needs a key of 1 to 1,024 bytes");
  if (key.size() <= kMaxClaimKeyBytes) return absl::OkStatus();
  return LimitError{v1::KEY_TOO_LARGE, "the key of the claim has bytes:",
                    key.size(),        "max_claim_key_bytes",
                    kMaxClaimKeyBytes, "use a shorter one, such as a hash of it"}
      .Make();
}

absl::Status CheckClaimResult(absl::string_view result) {
  if (result.size() <= kMaxClaimResultBytes) return absl::OkStatus();
  return LimitError{
      v1::LIMIT_EXCEEDED,   "the result of the claim has bytes:",
      result.size(),        "max_claim_result_bytes",
      kMaxClaimResultBytes, "keep it elsewhere, and complete the claim with where it is"}
      .Make();
}

absl::StatusOr<ClaimTerms> TermsOf(const v1::ClaimRequest& request) {
  RETURN_IF_ERROR(CheckClaimKey(request.key()));
  RETURN_IF_ERROR(CheckClaimWord("owner", request.owner()));
  RETURN_IF_ERROR(CheckClaimWord("request_id", request.request_id()));
  ClaimTerms terms;
  terms.lease_us = absl::ToInt64Microseconds(kDefaultClaimLease);
  terms.ttl_us = absl::ToInt64Microseconds(kDefaultClaimTtl);
  if (request.has_lease()) {
    ASSIGN_OR_RETURN(terms.lease_us,
                     MicrosWithin("lease", request.lease(), kLeastClaimLease, kMostClaimLease));
  }
  if (request.has_ttl()) {
    ASSIGN_OR_RETURN(terms.ttl_us,
                     MicrosWithin("ttl", request.ttl(), kLeastClaimTtl, kMostClaimTtl));
  }
  return terms;
}

std::string DrawClaimToken() { return DrawBytes(kTokenBytes); }

std::string ClaimTokenText(absl::string_view token) { return absl::BytesToHexString(token); }

absl::StatusOr<std::string> ParseClaimToken(absl::string_view text) {
  const bool digits = std::all_of(text.begin(), text.end(), absl::ascii_isxdigit);
  if (digits && text.size() == 2 * kTokenBytes) return absl::HexStringToBytes(text);
  return InvalidClaim("token", "send the 32 hexadecimal digits that came with FIRST");
}

absl::StatusOr<std::string> ParseClaimPageToken(absl::string_view token) {
  std::string key;
  if (token.empty()) return key;
  if (absl::WebSafeBase64Unescape(token, &key) && CheckClaimKey(key).ok()) return key;
  return InvalidClaim("page_token",
                      "it is not one that a list of claims answered: leave it out to begin anew");
}

}  // namespace acta
