#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace acta::cli {

// Remembers the last line of a text that comes in pieces, but for empty ones.
class LastLine {
 public:
  void Add(absl::string_view piece);
  // Without white space around it; of a long line the beginning.
  std::string line() const;

 private:
  std::string line_;    // Not ended yet.
  std::string before_;  // The last that ended.
};

// The front of `text` in at most so many bytes, as UTF-8: bytes that are none become "?".
std::string Utf8Front(absl::string_view text, size_t most_bytes);

}  // namespace acta::cli
