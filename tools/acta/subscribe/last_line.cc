#include "tools/acta/subscribe/last_line.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "proto/support/wire.h"

namespace acta::cli {
namespace {

constexpr size_t kLongestLine = 4096;

// Bytes of the character at the front; 0: it is no UTF-8.
size_t FrontCharacter(absl::string_view text) {
  for (size_t size = 1; size <= std::min<size_t>(4, text.size()); ++size) {
    if (IsUtf8(text.substr(0, size))) return size;
  }
  return 0;
}

}  // namespace

void LastLine::Add(absl::string_view piece) {
  while (!piece.empty()) {
    const size_t end = std::min(piece.find('\n'), piece.size());
    const absl::string_view part = piece.substr(0, end);
    line_.append(part.data(), std::min(part.size(), kLongestLine - line_.size()));
    if (end == piece.size()) return;
    const absl::string_view line = absl::StripAsciiWhitespace(line_);
    if (!line.empty()) before_ = std::string(line);
    line_.clear();
    piece.remove_prefix(end + 1);
  }
}

std::string LastLine::line() const {
  const absl::string_view open = absl::StripAsciiWhitespace(line_);
  return open.empty() ? before_ : std::string(open);
}

std::string Utf8Front(absl::string_view text, size_t most_bytes) {
  std::string front;
  while (!text.empty()) {
    const size_t size = FrontCharacter(text);
    const absl::string_view character = size > 0 ? text.substr(0, size) : "?";
    if (front.size() + character.size() > most_bytes) break;
    front.append(character.data(), character.size());
    text.remove_prefix(std::max<size_t>(1, size));
  }
  return front;
}

}  // namespace acta::cli
