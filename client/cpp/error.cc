#include "client/cpp/error.h"

#include "proto/support/error.h"

namespace acta::client {

v1::ErrorReason ReasonOf(const absl::Status& status) { return acta::ReasonOf(status); }

std::map<std::string, std::string> DetailsOf(const absl::Status& status) {
  return acta::DetailsOf(status);
}

absl::Duration RetryAfterOf(const absl::Status& status) { return acta::RetryAfterOf(status); }

absl::Status FromProto(const v1::Status& status) { return acta::FromProto(status); }

bool IsRetryable(const absl::Status& status) {
  // Also of a reason of a later broker, which is not known here.
  if (RetryAfterOf(status) > absl::ZeroDuration()) return true;
  const v1::ErrorReason reason = ReasonOf(status);
  if (reason != v1::ERROR_REASON_UNSPECIFIED) return RuleOf(reason).retryable();
  // Without a reason it came from the transport, which says the rest when a connection is reset.
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kDeadlineExceeded:
    // gRPC ends streams like this when its memory is full, and calls when it has no thread left.
    // So it does with messages that are too large: what sends or asks for such is to be stopped
    // before.
    case absl::StatusCode::kResourceExhausted:
      return true;
    default:
      return false;
  }
}

}  // namespace acta::client
