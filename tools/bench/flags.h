#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace acta::bench {

// A flag of a program.
struct Flag {
  std::string name;   // "--runs"
  std::string value;  // What its value is called; empty: it takes none.
  std::string help;
  // Errors: what is wrong with the value.
  std::function<absl::Status(const std::string&)> take;
};

// Targets are borrowed.
Flag TextFlag(absl::string_view name, absl::string_view value, absl::string_view help,
              std::string* target);
Flag SwitchFlag(absl::string_view name, absl::string_view help, bool* target);
// A number above zero.
Flag NumberFlag(absl::string_view name, absl::string_view value, absl::string_view help,
                double* target);

// --name VALUE and --name=VALUE. Errors: INVALID_ARGUMENT, naming the word.
absl::Status ParseFlags(const std::vector<Flag>& flags, const std::vector<std::string>& words);
std::string HelpText(absl::string_view head, const std::vector<Flag>& flags);

}  // namespace acta::bench
