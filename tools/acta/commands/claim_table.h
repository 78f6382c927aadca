#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "acta/v1/claims.pb.h"
#include "tools/acta/output/table.h"

namespace acta::cli {

// How claims are shown, for every command about them. Threads: any.

// The key, or in one line with escapes when it has control characters.
std::string ClaimKeyText(absl::string_view key);

Table ClaimTable(const std::vector<const v1::Claim*>& claims);

}  // namespace acta::cli
