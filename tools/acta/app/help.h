#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tools/acta/app/command.h"

namespace acta::cli {

// Help of one command.
std::string CommandHelp(const Command& command, const std::vector<Option>& global_options);

// Help of all commands whose path begins with `prefix`, a whole word; empty: the program's.
std::string CommandList(const std::vector<Command>& commands, absl::string_view prefix,
                        const std::vector<Option>& global_options);

// The candidate that differs from `word` least, when that is little enough to be a slip.
std::string Nearest(absl::string_view word, const std::vector<std::string>& candidates);

}  // namespace acta::cli
