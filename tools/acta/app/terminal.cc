#include "tools/acta/app/terminal.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

// What it tells of may have been read from a file, or published by others.
std::string PlainLines(absl::string_view text) {
  return absl::StrJoin(absl::StrSplit(text, '\n'), "\n",
                       [](std::string* out, absl::string_view line) { out->append(Plain(line)); });
}

void Write(const std::string& text) { (void)std::fwrite(text.data(), 1, text.size(), stderr); }

}  // namespace

Terminal::Terminal(Settings settings)
    : quiet_(settings.quiet),
      is_terminal_(isatty(STDERR_FILENO) == 1),
      color_(settings.color && is_terminal_ && std::getenv("NO_COLOR") == nullptr) {}

void Terminal::Hint(absl::string_view text) {
  if (ShowsHints()) Line("hint: ", "\x1b[36m", text);
}

void Terminal::Progress(absl::string_view text) {
  if (!is_terminal_ || quiet_) return;
  progress_shown_ = true;
  Write(absl::StrCat("\r\x1b[K", text));
}

void Terminal::EndProgress() {
  if (progress_shown_) Write("\r\x1b[K");
  progress_shown_ = false;
}

void Terminal::Report(absl::string_view text) {
  if (quiet_) return;
  EndProgress();
  Write(absl::StrCat(text, "\n"));
}

void Terminal::Warn(absl::string_view text) { Line("warning: ", "\x1b[33m", text); }

void Terminal::Error(absl::string_view text) { Line("error: ", "\x1b[31m", text); }

bool Terminal::CanAsk() const { return is_terminal_ && isatty(STDIN_FILENO) == 1; }

bool Terminal::Confirm(absl::string_view question) {
  if (!CanAsk()) return false;
  EndProgress();
  Write(absl::StrCat(question, " [y/N] "));
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

void Terminal::Line(absl::string_view label, absl::string_view color, absl::string_view text) {
  EndProgress();
  const std::string plain = PlainLines(text);
  Write(color_ ? absl::StrCat(color, label, "\x1b[0m", plain, "\n")
               : absl::StrCat(label, plain, "\n"));
}

}  // namespace acta::cli
