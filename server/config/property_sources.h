#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/config/property_table.h"

namespace acta {

// Sets what a TOML file says. Errors: INVALID_ARGUMENT naming file and line; a file that cannot be
// read.
absl::Status ApplyFile(const std::string& path, PropertyTable* table);
// The same of the text of a file; `path` is what errors call it.
absl::Status ApplyFileText(const std::string& path, absl::string_view text, PropertyTable* table);

// Sets what the variables ACTAD_SECTION__KEY say. `environment` has NAME=VALUE entries; those
// without the prefix are left alone.
absl::Status ApplyEnvironment(const std::vector<std::string>& environment, PropertyTable* table);

// The variable of a property: "storage.data" is ACTAD_STORAGE__DATA.
std::string EnvironmentName(const Property& property);

}  // namespace acta
