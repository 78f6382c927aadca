#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace acta {

// The name that was probably meant: few letters differ. Empty when none is near.
std::string NearestName(absl::string_view typed, const std::vector<std::string>& names);

// "; did you mean 'X'?", or nothing.
std::string DidYouMean(absl::string_view typed, const std::vector<std::string>& names);

}  // namespace acta
