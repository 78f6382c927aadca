#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/acta/app/args.h"
#include "tools/acta/app/command.h"

namespace acta::cli {

// The words after the program's name, understood by the table of commands.
struct CommandLine {
  // Null when help was asked for or nothing was typed: `help` then says it.
  const Command* command = nullptr;
  Args args;
  std::string help;
};

// The options every command takes.
const std::vector<Option>& GlobalOptions();

// Errors: usage, with the nearest command or option as a suggestion. Borrows from `commands`.
absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<Command>& commands,
                                             const std::vector<std::string>& words);

}  // namespace acta::cli
