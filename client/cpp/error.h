#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "acta/v1/errors.pb.h"
#include "client/cpp/export.h"

namespace acta::client {

// What an error of the broker says beside its code and its text. An error that the broker did not
// make (it cannot be reached, a deadline has passed) has no reason and no details.
//
// Threads: any.

// ERROR_REASON_UNSPECIFIED: there is none. errors.proto says what to do about each.
ACTA_CLIENT_EXPORT v1::ErrorReason ReasonOf(const absl::Status& status);
// Stable keys for programs: `topic`, `partition` and others, as the reason says.
ACTA_CLIENT_EXPORT std::map<std::string, std::string> DetailsOf(const absl::Status& status);
// How long to wait before a retry. Zero: the broker named no delay.
ACTA_CLIENT_EXPORT absl::Duration RetryAfterOf(const absl::Status& status);
// True when the same call or stream may succeed later: the broker said so, or the connection broke,
// or gRPC had no room.
ACTA_CLIENT_EXPORT bool IsRetryable(const absl::Status& status);
// A status inside an answer (BatchResult.error) as that of a call.
ACTA_CLIENT_EXPORT absl::Status FromProto(const v1::Status& status);

}  // namespace acta::client
