#include "tools/acta/publish/byte_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/interrupt.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

constexpr size_t kPackedBytes = 64 << 10;
constexpr absl::string_view kGzip = "\x1f\x8b";
constexpr int kGzipWindow = 15 + 16;  // zlib's way to say the largest window, and gzip alone.
// How long an interrupt between a look and a wait may go unnoticed.
constexpr int kNoticeEveryMs = 50;

}  // namespace

struct ByteSource::Input {
  ~Input() {
    if (gzip) inflateEnd(&stream);
    close(file);
  }

  int file = -1;
  bool looked = false;  // At what it is.
  bool gzip = false;
  bool in_member = false;  // Of a gzip file, which may have several, one behind the other.
  std::string read;        // And not yet given on, or not yet unpacked.
  z_stream stream = {};
};

ByteSource::ByteSource(std::string name, int file)
    : name_(std::move(name)), input_(std::make_unique<Input>()) {
  input_->file = file;
}
ByteSource::ByteSource(ByteSource&&) noexcept = default;
ByteSource& ByteSource::operator=(ByteSource&&) noexcept = default;
ByteSource::~ByteSource() = default;

absl::StatusOr<ByteSource> ByteSource::Open(const std::string& path) {
  const bool standard = path == "-";
  const std::string name = standard ? "standard input" : path;
  const int file = standard ? dup(STDIN_FILENO) : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return UsageError(absl::StrCat("cannot open '", name, "': ", std::strerror(errno)));
  }
  ByteSource source(name, file);
  struct stat found = {};
  if (fstat(file, &found) == 0 && S_ISDIR(found.st_mode)) {
    return UsageError(absl::StrCat("cannot read '", name, "': it is a folder"));
  }
  return source;
}

absl::StatusOr<size_t> ByteSource::Read(char* to, size_t most) {
  if (!input_->looked) RETURN_IF_ERROR(LookAtKind());
  if (input_->gzip) return Unpack(to, most);
  std::string& read = input_->read;
  if (read.empty()) return ReadRaw(to, most);
  const size_t count = std::min(most, read.size());
  read.copy(to, count);
  read.erase(0, count);
  return count;
}

absl::Status ByteSource::LookAtKind() {
  char bytes[kGzip.size()];
  while (input_->read.size() < kGzip.size()) {
    ASSIGN_OR_RETURN(const size_t count, ReadRaw(bytes, kGzip.size() - input_->read.size()));
    if (count == 0) break;
    input_->read.append(bytes, count);
  }
  input_->looked = true;
  if (input_->read != kGzip) return absl::OkStatus();
  if (inflateInit2(&input_->stream, kGzipWindow) != Z_OK) return CannotRead("no memory");
  input_->gzip = true;
  input_->stream.next_in = reinterpret_cast<Bytef*>(input_->read.data());
  input_->stream.avail_in = static_cast<uInt>(input_->read.size());
  return absl::OkStatus();
}

absl::StatusOr<size_t> ByteSource::ReadRaw(char* to, size_t most) {
  while (true) {
    pollfd look = {input_->file, POLLIN, 0};
    const int ready = poll(&look, 1, kNoticeEveryMs);
    if (Interrupted()) return 0;
    if (ready <= 0) continue;
    const ssize_t count = read(input_->file, to, most);
    if (count >= 0) return static_cast<size_t>(count);
    if (errno != EINTR && errno != EAGAIN) return CannotRead(std::strerror(errno));
  }
}

absl::StatusOr<size_t> ByteSource::Unpack(char* to, size_t most) {
  z_stream& stream = input_->stream;
  stream.next_out = reinterpret_cast<Bytef*>(to);
  stream.avail_out = static_cast<uInt>(most);
  std::string& packed = input_->read;
  while (stream.avail_out == most) {
    if (stream.avail_in == 0) {
      packed.resize(kPackedBytes);
      ASSIGN_OR_RETURN(const size_t count, ReadRaw(packed.data(), packed.size()));
      if (count == 0 && input_->in_member && !Interrupted()) {
        return CannotRead("unexpected end of file");
      }
      if (count == 0) return 0;
      stream.next_in = reinterpret_cast<Bytef*>(packed.data());
      stream.avail_in = static_cast<uInt>(count);
    }
    if (!input_->in_member) {
      // What is behind the last member, and none, is passed over as by gzip.
      if (*stream.next_in != static_cast<Bytef>(kGzip[0])) return 0;
      inflateReset(&stream);
      input_->in_member = true;
    }
    const int code = inflate(&stream, Z_NO_FLUSH);
    input_->in_member = code != Z_STREAM_END;
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
      return CannotRead(stream.msg == nullptr ? "it is no gzip file" : stream.msg);
    }
  }
  return most - stream.avail_out;
}

absl::Status ByteSource::CannotRead(const char* why) const {
  return absl::UnknownError(absl::StrCat("cannot read '", name_, "': ", why));
}

}  // namespace acta::cli
