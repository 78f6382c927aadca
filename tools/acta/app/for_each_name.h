#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace acta::cli {

// Does for each name what a command does for one, also behind one that fails. When the broker is
// not reached, or cannot do it for a while, what is left is not tried.
//
// Errors: with one name, its own. With several, a text with a line for each that failed ("2 of 3
// `noun`s were not `done`"): PartlyDoneError(), or with the exit code of the first when all failed.
absl::Status ForEachName(const std::vector<std::string>& names, absl::string_view noun,
                         absl::string_view done,
                         const std::function<absl::Status(const std::string& name)>& act);

}  // namespace acta::cli
