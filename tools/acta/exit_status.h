#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace acta::cli {

// What a script sees of a command.
enum ExitStatus {
  kExitDone = 0,
  kExitFailed = 1,
  kExitUsage = 2,
  kExitNotFound = 3,
  kExitRefused = 4,      // Permission or precondition.
  kExitUnavailable = 5,  // Also timed out.
  kExitPartlyDone = 6,
};

// The command line itself is wrong; nothing was tried.
absl::Status UsageError(absl::string_view message);
// Some of it was done, some was not.
absl::Status PartlyDoneError(absl::string_view message);
// Refused on this side, before the server was asked.
absl::Status RefusedError(absl::string_view message);

// The same exit code, told by this text.
absl::Status ToldAs(const absl::Status& error, absl::string_view message);

// Whoever read the output has enough: the command ends, and that is no error (kExitDone).
absl::Status OutputClosedError();

// What a command ends with that did one thing after the other: the first error. That nobody reads
// the output is none, and hides none.
absl::Status FirstError(const absl::Status& first, const absl::Status& then);

ExitStatus ExitStatusOf(const absl::Status& status);

// "topic 'x' does not exist [TOPIC_NOT_FOUND]"; without a reason, the gRPC code's name.
std::string DescribeError(const absl::Status& status);

}  // namespace acta::cli
