#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace acta::cli {

// What people see beside the results: hints, progress, warnings. All of it goes to stderr, and
// progress and hints only to a terminal.
//
// Threads: one.
class Terminal {
 public:
  struct Settings {
    bool quiet = false;
    bool color = true;
  };
  explicit Terminal(Settings settings);

  // Whether hints are seen.
  bool ShowsHints() const { return is_terminal_ && !quiet_; }
  // Something useful to know next.
  void Hint(absl::string_view text);
  // One line that replaces the one before.
  void Progress(absl::string_view text);
  // Removes the progress line, so that other output may come.
  void EndProgress();
  // What came of something long, unless quiet. Also without a terminal.
  void Report(absl::string_view text);
  // Also without a terminal.
  void Warn(absl::string_view text);
  void Error(absl::string_view text);
  // Asks on the terminal; false without one, or when the answer is not yes.
  bool Confirm(absl::string_view question);
  // Both the question and the answer have a terminal.
  bool CanAsk() const;

 private:
  void Line(absl::string_view label, absl::string_view color, absl::string_view text);

  const bool quiet_;
  const bool is_terminal_;
  const bool color_;
  bool progress_shown_ = false;
};

}  // namespace acta::cli
