#pragma once

#include <string>
#include <utility>
#include <vector>

namespace acta {

// The version of this program.
std::string ActaVersion();

// What it stands on: name and version, for `acta version --deps`.
std::vector<std::pair<std::string, std::string>> LibraryVersions();

}  // namespace acta
