#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace acta {

// Pages made of the tables of this program: "configuration" and "metrics" for docs/reference,
// "example" for deploy/actad.toml. Errors: INVALID_ARGUMENT naming the pages there are.
absl::StatusOr<std::string> ReferencePage(absl::string_view name);

}  // namespace acta
