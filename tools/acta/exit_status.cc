#include "tools/acta/exit_status.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace acta::cli {
namespace {

// Of errors of this side: their exit code, as a digit.
constexpr char kMark[] = "acta.cli/exit";

absl::Status Marked(absl::Status status, ExitStatus exit) {
  status.SetPayload(kMark, absl::Cord(absl::StrCat(static_cast<int>(exit))));
  return status;
}

// The server refused what was typed, as opposed to the events that were sent.
bool IsAboutTheCommandLine(v1::ErrorReason reason) {
  return reason == v1::INVALID_ARGUMENT || reason == v1::INVALID_NAME ||
         reason == v1::UNKNOWN_ENUM_VALUE;
}

}  // namespace

absl::Status UsageError(absl::string_view message) {
  return Marked(absl::InvalidArgumentError(message), kExitUsage);
}

absl::Status PartlyDoneError(absl::string_view message) {
  return Marked(absl::AbortedError(message), kExitPartlyDone);
}

absl::Status RefusedError(absl::string_view message) {
  return Marked(absl::FailedPreconditionError(message), kExitRefused);
}

absl::Status ToldAs(const absl::Status& error, absl::string_view message) {
  return Marked(absl::Status(error.code(), message), ExitStatusOf(error));
}

absl::Status OutputClosedError() {
  return Marked(absl::CancelledError("nobody reads the output any more"), kExitDone);
}

absl::Status FirstError(const absl::Status& first, const absl::Status& then) {
  if (ExitStatusOf(first) != kExitDone) return first;
  return ExitStatusOf(then) != kExitDone || first.ok() ? then : first;
}

ExitStatus ExitStatusOf(const absl::Status& status) {
  if (status.ok()) return kExitDone;
  if (const auto mark = status.GetPayload(kMark)) {
    return static_cast<ExitStatus>(std::string(*mark)[0] - '0');
  }
  if (IsAboutTheCommandLine(ReasonOf(status))) return kExitUsage;
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return kExitNotFound;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
      return kExitRefused;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kExitUnavailable;
    case absl::StatusCode::kResourceExhausted:
      return RetryAfterOf(status) > absl::ZeroDuration() ? kExitUnavailable : kExitRefused;
    default:
      return kExitFailed;
  }
}

std::string DescribeError(const absl::Status& status) {
  if (status.GetPayload(kMark)) return std::string(status.message());
  const v1::ErrorReason reason = ReasonOf(status);
  // What fails on this side has no code that helps anybody.
  if (reason == v1::ERROR_REASON_UNSPECIFIED && absl::IsUnknown(status)) {
    return std::string(status.message());
  }
  const std::string name = reason == v1::ERROR_REASON_UNSPECIFIED
                               ? absl::StatusCodeToString(status.code())
                               : v1::ErrorReason_Name(reason);
  return absl::StrCat(status.message(), " [", name, "]");
}

}  // namespace acta::cli
