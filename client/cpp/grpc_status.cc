#include "client/cpp/grpc_status.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace acta::client {

absl::Status FromGrpc(const grpc::Status& status, absl::string_view address) {
  if (status.ok()) return absl::OkStatus();
  const absl::Status decoded = DecodeStatusDetails(static_cast<int>(status.error_code()),
                                                   status.error_message(), status.error_details());
  if (ReasonOf(decoded) != v1::ERROR_REASON_UNSPECIFIED) return decoded;
  switch (decoded.code()) {
    case absl::StatusCode::kUnavailable:
      return absl::UnavailableError(
          absl::StrCat("broker '", address, "' cannot be reached: ", decoded.message()));
    case absl::StatusCode::kDeadlineExceeded:
      return absl::DeadlineExceededError(
          absl::StrCat("broker '", address, "' did not answer in time: ", decoded.message()));
    default:
      return decoded;
  }
}

}  // namespace acta::client
