#include "tools/bench/flags.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/base/status_macros.h"

namespace acta::bench {

Flag TextFlag(absl::string_view name, absl::string_view value, absl::string_view help,
              std::string* target) {
  return {std::string(name), std::string(value), std::string(help), [target](const auto& text) {
            *target = text;
            return absl::OkStatus();
          }};
}

Flag SwitchFlag(absl::string_view name, absl::string_view help, bool* target) {
  return {std::string(name), "", std::string(help), [target](const auto&) {
            *target = true;
            return absl::OkStatus();
          }};
}

Flag NumberFlag(absl::string_view name, absl::string_view value, absl::string_view help,
                double* target) {
  return {
      std::string(name), std::string(value), std::string(help), [target](const auto& text) {
        double number = 0;
        if (!absl::SimpleAtod(text, &number) || !(number > 0) || number > 1e9) {
          return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not a number above 0"));
        }
        *target = number;
        return absl::OkStatus();
      }};
}

absl::Status ParseFlags(const std::vector<Flag>& flags, const std::vector<std::string>& words) {
  for (size_t i = 0; i < words.size(); ++i) {
    const size_t equals = words[i].find('=');
    const std::string name = words[i].substr(0, equals);
    const auto flag = std::find_if(flags.begin(), flags.end(),
                                   [&](const Flag& candidate) { return candidate.name == name; });
    if (flag == flags.end()) {
      return absl::InvalidArgumentError(absl::StrCat("unknown word '", words[i], "'; see --help"));
    }
    std::string value;
    if (flag->value.empty()) {
      if (equals != std::string::npos) {
        return absl::InvalidArgumentError(absl::StrCat(name, " takes no value"));
      }
    } else if (equals != std::string::npos) {
      value = words[i].substr(equals + 1);
    } else if (i + 1 < words.size()) {
      value = words[++i];
    } else {
      return absl::InvalidArgumentError(absl::StrCat(name, " needs a value: ", flag->value));
    }
    if (const absl::Status taken = flag->take(value); !taken.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": ", std::string(taken.message())));
    }
  }
  return absl::OkStatus();
}

std::string HelpText(absl::string_view head, const std::vector<Flag>& flags) {
  std::string text(head);
  for (const Flag& flag : flags) {
    absl::StrAppendFormat(&text, "  %-20s %s\n", absl::StrCat(flag.name, " ", flag.value),
                          flag.help);
  }
  return text;
}

}  // namespace acta::bench
