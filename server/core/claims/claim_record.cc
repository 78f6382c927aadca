#include "server/core/claims/claim_record.h"

#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "storage/base/bytes.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"

namespace acta {
namespace {

absl::Status UnreadableClaim() {
  return Error(v1::DATA_CORRUPTED, "a row of a claim cannot be read");
}

// The key behind its length, to the end of the row.
absl::StatusOr<std::string> KeyOfRow(absl::string_view rest) {
  if (rest.size() < 2) return UnreadableClaim();
  const size_t size = static_cast<size_t>(static_cast<unsigned char>(rest[0])) << 8 |
                      static_cast<unsigned char>(rest[1]);
  rest.remove_prefix(2);
  if (rest.size() != size) return UnreadableClaim();
  return std::string(rest);
}

v1::ClaimState StateOfClaim(const storage::v1::ClaimRecord& record, int64_t now_us) {
  if (IsCompleted(record)) return v1::CLAIM_STATE_COMPLETED;
  return now_us < record.until_us() ? v1::CLAIM_STATE_IN_PROGRESS : v1::CLAIM_STATE_LEASE_OVER;
}

}  // namespace

absl::StatusOr<ClaimEnd> ParseClaimEndRow(absl::string_view row) {
  constexpr size_t kPrefix = sizeof(kClaimEndRows) - 1;
  if (row.size() < kPrefix + 16 || row.substr(0, kPrefix) != kClaimEndRows) {
    return UnreadableClaim();
  }
  ClaimEnd end;
  end.group = GroupId(GetBig64(row.data() + kPrefix));
  end.end_us = static_cast<int64_t>(GetBig64(row.data() + kPrefix + 8));
  ASSIGN_OR_RETURN(end.key, KeyOfRow(row.substr(kPrefix + 16)));
  return end;
}

absl::StatusOr<std::string> ParseClaimRow(GroupId group, absl::string_view row) {
  const std::string prefix = QueueRows(kClaimRows, group);
  if (row.substr(0, prefix.size()) != prefix) return UnreadableClaim();
  return KeyOfRow(row.substr(prefix.size()));
}

absl::StatusOr<storage::v1::ClaimRecord> ParseClaimRecord(absl::string_view value) {
  storage::v1::ClaimRecord record;
  if (!record.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
    return UnreadableClaim();
  }
  return record;
}

v1::Claim DescribeClaim(absl::string_view key, const storage::v1::ClaimRecord& record,
                        int64_t now_us, bool whole) {
  v1::Claim claim;
  claim.set_key(std::string(key));
  claim.set_state(StateOfClaim(record, now_us));
  claim.set_owner(record.owner());
  claim.set_principal(record.principal());
  SetTimeUs(record.claim_us(), claim.mutable_claim_time());
  SetTimeUs(record.until_us(), claim.mutable_until());
  if (IsCompleted(record)) SetTimeUs(record.complete_us(), claim.mutable_complete_time());
  SetTimeUs(record.end_us(), claim.mutable_end_time());
  claim.set_result_bytes(static_cast<int64_t>(record.result().size()));
  if (whole) claim.set_result(record.result());
  return claim;
}

}  // namespace acta
