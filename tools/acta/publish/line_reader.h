#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/acta/publish/byte_source.h"

namespace acta::cli {

// The lines of a file, of standard input or of one text; gzip is unpacked on the way. Lines of a
// pipe are given on as soon as they are there. A byte order mark in front of the first one is no
// part of it. An interrupt ends them, before a line that is not whole.
//
// Threads: one. Errors: a file that cannot be opened or read; a line above kMaxLineBytes.
class LineReader {
 public:
  static constexpr size_t kMaxLineBytes = 32 << 20;

  // "-" is standard input.
  static absl::StatusOr<LineReader> OpenFile(const std::string& path);
  // The one line is `text`, whatever it holds.
  static LineReader OfText(std::string text);

  // False at the end. `line` has no line break; it is valid until the next call.
  absl::StatusOr<bool> Next(absl::string_view* line);
  // Of the line that Next gave, from 1.
  int64_t line_number() const { return line_number_; }
  const std::string& name() const { return name_; }

 private:
  // False at the end of the file.
  absl::StatusOr<bool> Fill();

  std::string name_;
  std::optional<ByteSource> source_;
  // Unread bytes are [at_, buffer_.size()).
  std::string buffer_;
  size_t at_ = 0;
  bool whole_ = false;  // The buffer is one line.
  int64_t line_number_ = 0;
};

}  // namespace acta::cli
