#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "acta/v1/errors.pb.h"

namespace acta {

using ErrorDetails = std::vector<std::pair<std::string, std::string>>;

// An error of ours: the reason gives the code; `message` is for people, names the thing in quotes
// and says what to do; `details` are stable keys for programs.
absl::Status Error(v1::ErrorReason reason, absl::string_view message, ErrorDetails details = {});
// With a delay of its own instead of the reason's default.
absl::Status ErrorRetryAfter(v1::ErrorReason reason, absl::string_view message,
                             absl::Duration delay, ErrorDetails details = {});

// The reason of an error made by Error(), else ERROR_REASON_UNSPECIFIED.
v1::ErrorReason ReasonOf(const absl::Status& status);
std::map<std::string, std::string> DetailsOf(const absl::Status& status);
// The same error with these details, in place of those of the same names. One that Error() did not
// make stays as it is.
absl::Status WithDetails(const absl::Status& status, const ErrorDetails& details);
// Zero when a retry is of no use.
absl::Duration RetryAfterOf(const absl::Status& status);
const v1::ErrorRule& RuleOf(v1::ErrorReason reason);

// As a part of a message. A status that Error() did not make becomes INTERNAL without its text.
v1::Status ToProto(const absl::Status& status);
absl::Status FromProto(const v1::Status& status);

// The bytes of google.rpc.Status for the trailer grpc-status-details-bin, and back. Parsing takes
// what a foreign server may send: anything it cannot read gives a status without a reason.
std::string EncodeStatusDetails(const absl::Status& status);
absl::Status DecodeStatusDetails(int code, absl::string_view message, absl::string_view details);

}  // namespace acta
