#include "tools/acta/app/help.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace acta::cli {
namespace {

struct Line {
  std::string left;
  std::string right;
};

std::string Columns(const std::vector<Line>& lines) {
  size_t width = 0;
  for (const Line& line : lines) width = std::max(width, line.left.size());
  std::string out;
  for (const Line& line : lines) {
    absl::StrAppend(&out, "  ", line.left, std::string(width - line.left.size() + 2, ' '),
                    line.right, "\n");
  }
  return out;
}

std::string OptionLines(const std::vector<Option>& options) {
  std::vector<Line> lines;
  for (const Option& option : options) {
    lines.push_back({absl::StrCat(option.letter, option.letter.empty() ? "" : ", ", option.name,
                                  option.value.empty() ? "" : " ", option.value),
                     option.help});
  }
  return Columns(lines);
}

size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, changed});
    }
  }
  return row.back();
}

}  // namespace

std::string CommandHelp(const Command& command, const std::vector<Option>& global_options) {
  const std::string arguments = absl::StrJoin(command.arguments, " ");
  std::string out = absl::StrCat(command.summary, "\n\nUsage: acta ", command.path,
                                 arguments.empty() ? "" : " ", arguments, " [OPTIONS]\n");
  if (!command.details.empty()) absl::StrAppend(&out, "\n", command.details, "\n");
  if (!command.options.empty()) {
    absl::StrAppend(&out, "\nOptions:\n", OptionLines(command.options));
  }
  absl::StrAppend(&out, "\nEvery command:\n", OptionLines(global_options), "\nExample:\n  ",
                  command.example, "\n");
  return out;
}

std::string CommandList(const std::vector<Command>& commands, absl::string_view prefix,
                        const std::vector<Option>& global_options) {
  std::vector<Line> lines;
  for (const Command& command : commands) {
    if (command.path[0] == '_') continue;
    if (!prefix.empty() && !absl::StartsWith(command.path, absl::StrCat(prefix, " "))) continue;
    lines.push_back({absl::StrCat(command.path, command.arguments.empty() ? "" : " ",
                                  absl::StrJoin(command.arguments, " ")),
                     command.summary});
  }
  return absl::StrCat("acta: the command line of the Acta event broker\n\nUsage: acta ", prefix,
                      prefix.empty() ? "" : " ", "COMMAND [OPTIONS]\n\nCommands:\n", Columns(lines),
                      "\nEvery command:\n", OptionLines(global_options),
                      "\nExit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 refused, "
                      "5 unavailable or timed out,\n6 partly done.\n"
                      "`acta COMMAND --help` shows a command's options with an example.\n");
}

std::string Nearest(absl::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t least = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = Distance(word, candidate);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace acta::cli
