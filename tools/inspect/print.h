#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/string_view.h"

namespace acta::inspect {

using Json = nlohmann::ordered_json;

enum class Format { kText, kJson };

// RFC 3339, UTC; empty for 0.
std::string TimeText(int64_t unix_micros);

// One line; bytes that are not UTF-8 are replaced.
std::string JsonText(const Json& json);
// Sets `name` when the value is UTF-8, else `name`_base64.
void SetBytes(Json* json, absl::string_view name, absl::string_view value);

// Columns as wide as they need; the first row is the heading. Numbers, but in the heading, stand
// at the right.
std::string TableText(const std::vector<std::vector<std::string>>& rows);

}  // namespace acta::inspect
