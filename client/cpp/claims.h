#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "acta/v1/claims.pb.h"
#include "client/cpp/channel.h"
#include "client/cpp/export.h"

namespace acta::client {

struct ClaimsOptions {
  std::string group;
  // Told to those who ask while it is in progress: which process, member or host.
  std::string owner;
  // How long this process may take; not set: the broker's 30 s.
  std::optional<absl::Duration> lease;
  // How long results are remembered; not set: the broker's 7 days.
  std::optional<absl::Duration> ttl;
  // A call is tried again for so long while its outcome is not known, or the broker is not there or
  // busy. Shorter than the lease.
  absl::Duration retry_for = absl::Seconds(20);
};

// Claims asks a group whether this process is to do something outside of the broker, and says what
// came of it (claims.proto). Calls whose outcome is not known are tried again and count once.
//
// Threads: any; calls block.
// Errors:  as the methods of acta.v1.Claims say, when trying again is of no use or `retry_for` is
//          over; then the call may have been done. After Cancel() the last failure.
class ACTA_CLIENT_EXPORT Claims {
 public:
  Claims(std::shared_ptr<Channel> channel, ClaimsOptions options);
  ~Claims();
  Claims(const Claims&) = delete;
  Claims& operator=(const Claims&) = delete;

  // FIRST: do it, then Complete() or Release() with the token. DUPLICATE: done, with the result.
  // IN_PROGRESS: somebody else does it; ask again after `retry_after`.
  absl::StatusOr<v1::ClaimResponse> Claim(absl::string_view key);
  // Errors: CLAIM_LOST, CLAIM_NOT_FOUND: the lease was over; the effect may have been done twice.
  absl::Status Complete(absl::string_view key, absl::string_view token, absl::string_view result);
  // It was not done: the next who asks is FIRST.
  absl::Status Release(absl::string_view key, absl::string_view token);

  // No call is tried again any more, now and later; one under way ends at the channel's deadline.
  // Safe in any thread.
  void Cancel();

 private:
  class Core;
  const std::unique_ptr<Core> core_;
};

}  // namespace acta::client
