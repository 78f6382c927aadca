#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/storage/v1/records.pb.h"
#include "acta/v1/claims.pb.h"
#include "storage/base/ids.h"

namespace acta {

// What a row by time says.
struct ClaimEnd {
  GroupId group;
  int64_t end_us = 0;
  std::string key;
};
// Errors of all: DATA_CORRUPTED.
absl::StatusOr<ClaimEnd> ParseClaimEndRow(absl::string_view row);
// The claim's key in a row that begins with its group.
absl::StatusOr<std::string> ParseClaimRow(GroupId group, absl::string_view row);
absl::StatusOr<storage::v1::ClaimRecord> ParseClaimRecord(absl::string_view value);

// It counts for nothing any more.
inline bool HasEnded(const storage::v1::ClaimRecord& record, int64_t now_us) {
  return record.end_us() <= now_us;
}
inline bool IsCompleted(const storage::v1::ClaimRecord& record) {
  return record.complete_us() != 0;
}

// For answers; `whole`: with the result.
v1::Claim DescribeClaim(absl::string_view key, const storage::v1::ClaimRecord& record,
                        int64_t now_us, bool whole);

}  // namespace acta
