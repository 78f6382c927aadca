#include "tools/acta/publish/line_reader.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

constexpr size_t kReadBytes = 256 << 10;

}  // namespace

absl::StatusOr<LineReader> LineReader::OpenFile(const std::string& path) {
  LineReader reader;
  reader.name_ = path == "-" ? "standard input" : path;
  errno = 0;
  gzFile file = path == "-" ? gzdopen(dup(STDIN_FILENO), "rb") : gzopen(path.c_str(), "rb");
  if (file == nullptr) {
    return UsageError(absl::StrCat("cannot open '", path, "': ", std::strerror(errno)));
  }
  gzbuffer(file, kReadBytes);
  reader.file_.reset(file);
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
      if (!line->empty() && line->back() == '\r') line->remove_suffix(1);
      at_ = end + 1;
      ++line_number_;
      return true;
    }
    searched = buffer_.size() - at_;
    ASSIGN_OR_RETURN(const bool more, Fill());
    if (!more) break;
  }
  if (at_ == buffer_.size()) return false;
  *line = absl::string_view(buffer_).substr(at_);
  at_ = buffer_.size();
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
  const int count = gzread(file_.get(), buffer_.data() + before, kReadBytes);
  buffer_.resize(before + static_cast<size_t>(count < 0 ? 0 : count));
  int code = Z_OK;
  const char* problem = gzerror(file_.get(), &code);
  if (count < 0 || (count == 0 && code == Z_BUF_ERROR)) {
    const bool system = code == Z_ERRNO;
    return absl::DataLossError(
        absl::StrCat("cannot read '", name_, "': ", system ? std::strerror(errno) : problem));
  }
  return count > 0;
}

}  // namespace acta::cli
