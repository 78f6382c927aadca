#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace acta::cli {

// What those type who know rpk, nats, kcat or the scripts of Kafka, and what it is here: "--count"
// is "--max", "--from-beginning" is "--from earliest".

// `known`: the options that may be meant. Empty: none of them is.
std::string OptionMeantBy(absl::string_view typed, const std::vector<std::string>& known);

// `paths`: of commands. The one that begins with what these words mean; empty: none does.
std::string CommandMeantBy(const std::vector<std::string>& typed,
                           const std::vector<std::string>& paths);

}  // namespace acta::cli
