#include "tools/acta/publish/line_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/interrupt.h"
#include "tools/acta/events/json_line.h"

namespace acta::cli {
namespace {

constexpr size_t kReadBytes = 256 << 10;

}  // namespace

absl::StatusOr<LineReader> LineReader::OpenFile(const std::string& path) {
  LineReader reader;
  ASSIGN_OR_RETURN(reader.source_, ByteSource::Open(path));
  reader.name_ = reader.source_->name();
  return reader;
}

LineReader LineReader::OfText(std::string text) {
  LineReader reader;
  reader.name_ = "DATA";
  reader.buffer_ = std::move(text);
  reader.whole_ = true;
  return reader;
}

absl::StatusOr<bool> LineReader::Next(absl::string_view* line) {
  if (whole_) {
    *line = buffer_;
    return line_number_++ == 0;
  }
  size_t searched = at_;
  while (true) {
    const size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      *line = absl::string_view(buffer_).substr(at_, end - at_);
      if (line_number_ == 0) absl::ConsumePrefix(line, kByteOrderMark);
      if (!line->empty() && line->back() == '\r') line->remove_suffix(1);
      at_ = end + 1;
      ++line_number_;
      return true;
    }
    searched = buffer_.size() - at_;
    ASSIGN_OR_RETURN(const bool more, Fill());
    if (!more) break;
  }
  if (Interrupted()) return false;  // What is there of a line is none.
  if (at_ == buffer_.size()) return false;
  *line = absl::string_view(buffer_).substr(at_);
  at_ = buffer_.size();
  if (line_number_ == 0 && absl::ConsumePrefix(line, kByteOrderMark) && line->empty()) return false;
  ++line_number_;
  return true;
}

absl::StatusOr<bool> LineReader::Fill() {
  buffer_.erase(0, at_);
  at_ = 0;
  if (buffer_.size() > kMaxLineBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(name_, ": line ", line_number_ + 1, " is longer than 32 MiB"));
  }
  const size_t before = buffer_.size();
  buffer_.resize(before + kReadBytes);
  const absl::StatusOr<size_t> count = source_->Read(buffer_.data() + before, kReadBytes);
  buffer_.resize(before + count.value_or(0));
  RETURN_IF_ERROR(count.status());
  return *count > 0;
}

}  // namespace acta::cli
