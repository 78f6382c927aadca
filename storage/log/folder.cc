#include "storage/log/folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "proto/support/error.h"
#include "storage/base/random.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"
#include "storage/rocks/durable_names.h"

namespace acta {
namespace {

absl::Status Unusable(absl::string_view what, const std::string& path) {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return Error(
      full ? v1::DISK_FULL : v1::FOLDER_UNUSABLE,
      absl::StrCat("cannot ", what, " '", path, "': ", std::strerror(errno), "; ",
                   full ? "free disk" : "correct its owner and mode", " or choose another folder"),
      {{"path", path}});
}

// False, with errno, when it cannot be read.
bool ReadSmallFile(const std::string& path, std::string* text) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char bytes[256];
  ssize_t size = 0;
  while ((size = read(fd, bytes, sizeof(bytes))) > 0) {
    text->append(bytes, static_cast<size_t>(size));
  }
  const int error = errno;
  close(fd);
  errno = error;
  return size == 0;
}

// On the disk: a file may be longer than that.
int64_t BytesHeld(const std::string& path) {
  constexpr int64_t kBlock = 512;  // Of st_blocks, on every file system.
  struct stat file {};
  return stat(path.c_str(), &file) == 0 ? file.st_blocks * kBlock : 0;
}

// Whether the disk has so much above its last watermark.
bool LeavesRoom(const std::string& folder, int64_t bytes, const Watermark& least_free) {
  std::error_code error;
  const std::filesystem::space_info disk = std::filesystem::space(folder, error);
  if (error || bytes <= 0) return true;
  return static_cast<int64_t>(disk.available) - bytes >=
         least_free.Of(static_cast<int64_t>(disk.capacity));
}

}  // namespace

absl::Status EnsureFolder(rocksdb::FileSystem& file_system, const std::string& folder) {
  std::error_code error;
  const bool there = std::filesystem::exists(folder, error);
  const absl::Status made = MakeDurableFolder(file_system, folder);
  if (absl::IsResourceExhausted(made)) return made;
  if (!made.ok()) {
    return Error(v1::FOLDER_UNUSABLE,
                 absl::StrCat("cannot create '", folder, "': ", made.message(),
                              "; correct its owner and mode or choose another folder"),
                 {{"path", folder}});
  }
  // Events are nobody else's business; a folder that is there keeps the mode its owner gave it.
  if (!there) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  if (access(folder.c_str(), R_OK | W_OK | X_OK) != 0) return Unusable("read and write", folder);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<FolderLock>> FolderLock::Take(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/", kLockFile);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Unusable("open", path);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    std::string owner;
    ReadSmallFile(path, &owner);
    close(fd);
    return Error(v1::FOLDER_IN_USE,
                 absl::StrCat("data folder '", folder, "' is in use",
                              owner.empty() ? "" : absl::StrCat(" by process ", owner),
                              "; stop it or use another folder"),
                 {{"path", folder}});
  }
  const std::string pid = absl::StrCat(getpid());
  // Written over what is there, so that a full disk has room for it.
  if (pwrite(fd, pid.data(), pid.size(), 0) < 0 ||
      ftruncate(fd, static_cast<off_t>(pid.size())) != 0) {
    close(fd);
    return Unusable("write", path);
  }
  return std::unique_ptr<FolderLock>(new FolderLock(fd));
}

FolderLock::~FolderLock() { close(fd_); }

absl::StatusOr<bool> IsThere(const std::string& path) {
  std::error_code error;
  const bool there = std::filesystem::exists(path, error);
  if (!error) return there;
  return Error(v1::FOLDER_UNUSABLE, absl::StrCat("'", path, "' cannot be read: ", error.message()),
               {{"path", path}});
}

absl::Status EnsureFormat(rocksdb::FileSystem& file_system, const std::string& folder) {
  ASSIGN_OR_RETURN(const bool written, IsThere(absl::StrCat(folder, "/", kFormatFile)));
  if (written) return CheckFormat(folder);
  ASSIGN_OR_RETURN(const bool used, IsThere(absl::StrCat(folder, "/", kDatabaseFolder)));
  if (used) {
    return Error(v1::FOLDER_UNUSABLE,
                 absl::StrCat("'", folder, "' has a database but no file ", kFormatFile,
                              ": it is not a whole data folder; restore the file or a backup"));
  }
  return WriteDurableFile(file_system, folder, kFormatFile,
                          absl::StrCat("acta ", kFormatVersion, "\n"));
}

absl::Status CheckFormat(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/", kFormatFile);
  std::string text;
  if (!ReadSmallFile(path, &text)) return Unusable("read", path);
  absl::string_view number = text;
  int version = 0;
  if (!absl::ConsumePrefix(&number, "acta ") ||
      !absl::SimpleAtoi(absl::StripSuffix(number, "\n"), &version) || version < 1) {
    return Error(v1::FOLDER_UNUSABLE,
                 absl::StrCat("'", path, "' does not say a format; restore the file or a backup"));
  }
  if (version > kFormatVersion) {
    return Error(
        v1::FORMAT_TOO_NEW,
        absl::StrCat("data folder '", folder, "' has format ", version,
                     ", this program knows formats up to ", kFormatVersion, "; use a newer actad"),
        {{"format", absl::StrCat(version)}});
  }
  return absl::OkStatus();
}

absl::Status SyncFolderAt(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Unusable("open", folder);
  const auto closer = absl::MakeCleanup([fd] { close(fd); });
  return fsync(fd) == 0 ? absl::OkStatus() : Unusable("sync", folder);
}

absl::Status WriteFileDurably(const std::string& folder, const std::string& name,
                              absl::string_view bytes) {
  const std::string path = absl::StrCat(folder, "/", name);
  const std::string temporary = path + ".new";
  {
    const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return Unusable("create", temporary);
    const auto closer = absl::MakeCleanup([fd] { close(fd); });
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written != static_cast<ssize_t>(bytes.size()) || fsync(fd) != 0) {
      return Unusable("write", temporary);
    }
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) return Unusable("rename", temporary);
  return SyncFolderAt(folder);
}

void EnsureBallast(const std::string& folder, int64_t bytes, const Watermark& least_free) {
  const std::string path = absl::StrCat(folder, "/", kBallastFile);
  if (bytes <= 0) {
    unlink(path.c_str());
    return;
  }
  // What is there of it stays: it frees that much when it is needed.
  if (!LeavesRoom(folder, bytes - BytesHeld(path), least_free)) return;
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  // Without the room for it there is none: the watermarks speak first.
  if (ftruncate(fd, bytes) != 0 || fallocate(fd, 0, 0, bytes) != 0) unlink(path.c_str());
  close(fd);
}

int64_t FreeBytes(const std::string& folder) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(folder, error);
  return error ? INT64_MAX : static_cast<int64_t>(std::min<uintmax_t>(space.available, INT64_MAX));
}

std::string KernelBootId() {
  std::string text;
  if (!ReadSmallFile("/proc/sys/kernel/random/boot_id", &text)) return "";
  return std::string(absl::StripSuffix(text, "\n"));
}

bool MayBeAnotherBoot(const std::string& recorded, const std::string& now) {
  return now.empty() || recorded != now;
}

std::string RandomId() { return absl::BytesToHexString(DrawBytes(16)); }

}  // namespace acta
