#include "tools/acta/app/help.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace acta::cli {
namespace {

struct Line {
  std::string left;
  std::string right;
};

constexpr size_t kColumns = 80;  // Of a terminal.

// In lines of at most so many columns, each but the first behind `indent` blanks.
std::string Wrap(absl::string_view text, size_t indent) {
  std::string out;
  size_t column = indent;
  for (const absl::string_view word :
       absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    const bool first = out.empty();
    if (!first && column + 1 + word.size() > kColumns) {
      absl::StrAppend(&out, "\n", std::string(indent, ' '), word);
      column = indent + word.size();
      continue;
    }
    absl::StrAppend(&out, first ? "" : " ", word);
    column += word.size() + (first ? 0 : 1);
  }
  return out;
}

// Paragraphs are separated by an empty line; one with indented lines stays as it is.
std::string WrapParagraphs(const std::string& text) {
  return absl::StrJoin(
      absl::StrSplit(text, "\n\n"), "\n\n", [](std::string* out, absl::string_view paragraph) {
        const bool stays = absl::StartsWith(paragraph, " ") || absl::StrContains(paragraph, "\n ");
        absl::StrAppend(out, stays ? std::string(paragraph) : Wrap(paragraph, 0));
      });
}

std::string Columns(const std::vector<Line>& lines) {
  size_t width = 0;
  for (const Line& line : lines) width = std::max(width, line.left.size());
  std::string out;
  for (const Line& line : lines) {
    absl::StrAppend(&out, "  ", line.left, std::string(width - line.left.size() + 2, ' '),
                    Wrap(line.right, width + 4), "\n");
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
  std::string out = absl::StrCat(Wrap(command.summary, 0), "\n\nUsage: acta ", command.path,
                                 arguments.empty() ? "" : " ", arguments, " [OPTIONS]\n");
  if (!command.details.empty()) absl::StrAppend(&out, "\n", WrapParagraphs(command.details), "\n");
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
                      "\nEvery command:\n", OptionLines(global_options), "\n",
                      Wrap("Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 refused, 5 "
                           "unavailable or timed out, 6 partly done.",
                           0),
                      "\n"
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
