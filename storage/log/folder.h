#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/log/disk_guard.h"

namespace rocksdb {
class FileSystem;
}

namespace acta {

// The lock that keeps a second process out of a data folder; gone with the process.
class FolderLock {
 public:
  // Errors: FOLDER_IN_USE (naming the process), FOLDER_UNUSABLE.
  static absl::StatusOr<std::unique_ptr<FolderLock>> Take(const std::string& folder);
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  const int fd_;
};

// Creates the folder when missing; its name is durable, and those in its parent with it. Errors:
// FOLDER_UNUSABLE naming folder and cause; RESOURCE_EXHAUSTED without a reason: the disk is full.
absl::Status EnsureFolder(rocksdb::FileSystem& file_system, const std::string& folder);

// Whether there is something of this name. Errors: FOLDER_UNUSABLE where the disk does not say.
absl::StatusOr<bool> IsThere(const std::string& path);

// Writes the format file of a new folder, or checks the one that is there. Errors:
// FORMAT_TOO_NEW, FOLDER_UNUSABLE; those of the disk without a reason.
absl::Status EnsureFormat(rocksdb::FileSystem& file_system, const std::string& folder);

// Checks the format file that is there.
absl::Status CheckFormat(const std::string& folder);

// The names in it outlast a power cut. Errors: FOLDER_UNUSABLE, DISK_FULL.
absl::Status SyncFolderAt(const std::string& folder);
// Written, synced, renamed into place, folder synced.
absl::Status WriteFileDurably(const std::string& folder, const std::string& name,
                              absl::string_view bytes);

// Reserves a file of so many bytes that may be deleted when the disk is full; 0: there is none,
// also if there was one. None is made that would leave less than `least_free`. Best effort.
void EnsureBallast(const std::string& folder, int64_t bytes, const Watermark& least_free);

// What whoever asks may still write to the disk of the folder; INT64_MAX when that is not known.
int64_t FreeBytes(const std::string& folder);

// Identity of the running kernel; empty where it is not told.
std::string KernelBootId();
// Whether the machine may have lost its page cache since `recorded` was the kernel's identity.
bool MayBeAnotherBoot(const std::string& recorded, const std::string& now);
// 32 random hex digits.
std::string RandomId();

}  // namespace acta
