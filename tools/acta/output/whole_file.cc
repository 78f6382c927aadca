#include "tools/acta/output/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"

namespace acta::cli {
namespace {

constexpr mode_t kPermissions = 0777;

absl::Status CannotWrite(const std::string& path) {
  return absl::UnknownError(absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<WholeFile>> WholeFile::Open(const std::string& path,
                                                           mode_t new_mode) {
  struct stat old {};
  const bool is_there = stat(path.c_str(), &old) == 0;
  if (is_there && !S_ISREG(old.st_mode)) {
    FILE* const file = std::fopen(path.c_str(), "wb");
    if (file == nullptr) return CannotWrite(path);
    return std::unique_ptr<WholeFile>(new WholeFile(file, path, ""));
  }
  // A file that may not be written is not replaced either.
  if (is_there && access(path.c_str(), W_OK) != 0) return CannotWrite(path);
  // A link goes on leading there.
  std::error_code no_link;
  const std::string target =
      is_there ? std::filesystem::canonical(path, no_link).string() : std::string(path);
  if (no_link) return absl::UnknownError(absl::StrCat("cannot write ", path));
  std::string beside = absl::StrCat(target, ".", getpid());
  const mode_t mode = is_there ? old.st_mode & kPermissions : new_mode;
  const int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
  if (fd < 0) return CannotWrite(beside);
  // Who may read it stays, whatever the umask is.
  FILE* const file = is_there && fchmod(fd, mode) != 0 ? nullptr : fdopen(fd, "wb");
  if (file == nullptr) {
    const absl::Status status = CannotWrite(beside);
    close(fd);
    unlink(beside.c_str());
    return status;
  }
  return std::unique_ptr<WholeFile>(new WholeFile(file, target, std::move(beside)));
}

WholeFile::~WholeFile() {
  std::fclose(file_);
  if (!beside_.empty()) unlink(beside_.c_str());
}

absl::Status WholeFile::Commit() {
  if (std::fflush(file_) != 0) return CannotWrite(path_);
  if (beside_.empty()) return absl::OkStatus();
  if (fsync(fileno(file_)) != 0 || rename(beside_.c_str(), path_.c_str()) != 0) {
    return CannotWrite(path_);
  }
  beside_.clear();
  return absl::OkStatus();
}

}  // namespace acta::cli
