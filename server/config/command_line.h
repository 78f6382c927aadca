#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/config/property_table.h"

namespace acta {

// What the words after `actad` ask for.
struct CommandLine {
  enum class Mode { kRun, kHelp, kVersion, kPrintConfig, kPrintConfigJson, kGenerateReference };
  struct Setting {
    std::string property;
    std::string value;
    std::string flag;  // As typed.
  };

  Mode mode = Mode::kRun;
  std::string reference;  // With kGenerateReference: which page.
  std::string config;     // Path of the file; empty: none.
  std::vector<Setting> settings;
};

// `words` are those after the program's name. Errors: INVALID_ARGUMENT naming the word, with a
// suggestion where one is near.
absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& words,
                                             const PropertyTable& table);

absl::Status ApplyFlags(const CommandLine& line, PropertyTable* table);

// Text of --help.
std::string HelpText();

}  // namespace acta
