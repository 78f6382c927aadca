#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace acta {

// As a call's end: code, message, and google.rpc.Status with ErrorInfo and RetryInfo. A status that
// Error() did not make becomes INTERNAL with an incident id; its own text goes to the log only.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace acta
