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

std::string InProc(int fd) { return absl::StrCat("/proc/self/fd/", fd); }

// In the folder of `target`, where linkat() can name it later; -1: there is no such thing.
int OpenNameless(const std::string& target, mode_t mode) {
  const std::string folder = std::filesystem::path(target).parent_path().string();
  const int fd =
      open(folder.empty() ? "." : folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
  if (fd < 0 || access(InProc(fd).c_str(), F_OK) == 0) return fd;
  close(fd);
  return -1;
}

}  // namespace

absl::StatusOr<std::unique_ptr<WholeFile>> WholeFile::Open(const std::string& path,
                                                           mode_t new_mode) {
  struct stat old {};
  const bool is_there = stat(path.c_str(), &old) == 0;
  if (is_there && !S_ISREG(old.st_mode)) {
    FILE* const file = std::fopen(path.c_str(), "wb");
    if (file == nullptr) return CannotWrite(path);
    return std::unique_ptr<WholeFile>(new WholeFile(file, path, "", false));
  }
  // A file that may not be written is not replaced either.
  if (is_there && access(path.c_str(), W_OK) != 0) return CannotWrite(path);
  // A link goes on leading there.
  std::error_code no_link;
  const std::string target =
      is_there ? std::filesystem::canonical(path, no_link).string() : std::string(path);
  if (no_link) return absl::UnknownError(absl::StrCat("cannot write ", path));
  const std::string beside = absl::StrCat(target, ".", getpid());
  const mode_t mode = is_there ? old.st_mode & kPermissions : new_mode;
  int fd = OpenNameless(target, mode);
  const bool named = fd < 0;
  if (named) {
    unlink(beside.c_str());  // Of a program that was killed; its mode may be another.
    fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  }
  if (fd < 0) return CannotWrite(beside);
  // Who may read it stays, whatever the umask is.
  FILE* const file = is_there && fchmod(fd, mode) != 0 ? nullptr : fdopen(fd, "wb");
  if (file == nullptr) {
    const absl::Status status = CannotWrite(beside);
    close(fd);
    if (named) unlink(beside.c_str());
    return status;
  }
  return std::unique_ptr<WholeFile>(new WholeFile(file, target, beside, named));
}

WholeFile::~WholeFile() {
  std::fclose(file_);
  if (named_) unlink(beside_.c_str());
}

absl::Status WholeFile::Commit() {
  if (std::fflush(file_) != 0) return CannotWrite(path_);
  if (beside_.empty()) return absl::OkStatus();
  if (fsync(fileno(file_)) != 0 || !GiveName() || rename(beside_.c_str(), path_.c_str()) != 0) {
    return CannotWrite(path_);
  }
  named_ = false;
  return absl::OkStatus();
}

// Beside the file: a link does not replace what is there.
bool WholeFile::GiveName() {
  if (named_) return true;
  unlink(beside_.c_str());
  named_ = linkat(AT_FDCWD, InProc(fileno(file_)).c_str(), AT_FDCWD, beside_.c_str(),
                  AT_SYMLINK_FOLLOW) == 0;
  return named_;
}

}  // namespace acta::cli
