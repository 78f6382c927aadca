#include "storage/rocks/file_copy.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "storage/base/crc32c.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr size_t kCopyBytes = size_t{1} << 20;

std::string WhatFailed(absl::string_view what, const std::string& path, int error) {
  return absl::StrCat("cannot ", what, " '", path, "': ", std::strerror(error));
}

absl::Status ReadFailed(absl::string_view what, const std::string& path) {
  const int error = errno;
  const std::string text = WhatFailed(what, path, error);
  return error == EACCES || error == EPERM ? absl::PermissionDeniedError(text)
                                           : absl::DataLossError(text);
}

absl::Status WriteFailed(absl::string_view what, const std::string& path) {
  const int error = errno;
  const std::string text = WhatFailed(what, path, error);
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(text);
  if (error == EEXIST) return absl::AlreadyExistsError(text);
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(text);
  return absl::InternalError(text);
}

class OpenFile {
 public:
  OpenFile(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~OpenFile() {
    if (fd_ >= 0) close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int fd() const { return fd_; }  // Below 0: it could not be opened.

 private:
  const int fd_;
};

absl::Status WriteAll(int fd, const char* data, size_t size, const std::string& path) {
  while (size > 0) {
    const ssize_t written = write(fd, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return WriteFailed("write", path);
    data += written;
    size -= static_cast<size_t>(written);
  }
  return absl::OkStatus();
}

// `take` gets what was read, in order.
absl::StatusOr<CopiedFile> ReadParts(
    const std::string& path, uint64_t most,
    absl::FunctionRef<absl::Status(const char* data, size_t size)> take) {
  const OpenFile file(path, O_RDONLY);
  if (file.fd() < 0) return ReadFailed("open", path);
  const auto forget =
      absl::MakeCleanup([&file] { (void)posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED); });
  std::vector<char> buffer(kCopyBytes);
  CopiedFile copied;
  while (copied.bytes < most) {
    const size_t want = std::min<uint64_t>(kCopyBytes, most - copied.bytes);
    const ssize_t got = read(file.fd(), buffer.data(), want);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ReadFailed("read", path);
    if (got == 0) break;
    const auto size = static_cast<size_t>(got);
    copied.crc32c = Crc32cExtend(copied.crc32c, buffer.data(), size);
    copied.bytes += size;
    RETURN_IF_ERROR(take(buffer.data(), size));
  }
  return copied;
}

}  // namespace

absl::StatusOr<CopiedFile> CopyFile(const std::string& from, const std::string& to, uint64_t most,
                                    CopyFor how, EachPart each) {
  const OpenFile file(to, O_WRONLY | O_CREAT | O_EXCL);
  if (file.fd() < 0) return WriteFailed("create", to);
  off_t at = 0;
  const auto write = [&](const char* data, size_t size) -> absl::Status {
    RETURN_IF_ERROR(WriteAll(file.fd(), data, size, to));
    // On its way at once: a sync of all of it would keep the syncs of others waiting.
    if (how == CopyFor::kGood) {
      (void)sync_file_range(file.fd(), at, static_cast<off_t>(size), SYNC_FILE_RANGE_WRITE);
    }
    at += static_cast<off_t>(size);
    return each(size);
  };
  ASSIGN_OR_RETURN(const CopiedFile copied, ReadParts(from, most, write));
  if (how == CopyFor::kNow) return copied;
  if (fsync(file.fd()) != 0) return WriteFailed("sync", to);
  (void)posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  return copied;
}

absl::StatusOr<CopiedFile> ReadThrough(const std::string& path, EachPart each) {
  return ReadParts(path, kWholeFile, [&](const char*, size_t size) { return each(size); });
}

}  // namespace acta
