#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace acta::client {

// The error of a call with its reason, details and delay. One that never reached the broker names
// the address.
absl::Status FromGrpc(const grpc::Status& status, absl::string_view address);

}  // namespace acta::client
