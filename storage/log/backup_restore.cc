#include "storage/log/backup_restore.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"
#include "storage/log/backup_record.h"
#include "storage/log/folder.h"
#include "storage/rocks/durable_names.h"
#include "storage/rocks/file_copy.h"
#include "storage/rocks/store_file_system.h"

namespace acta {
namespace {

namespace fs = std::filesystem;
using storage::v1::BackupFile;
using storage::v1::BackupRecord;

// A name that leads nowhere else.
bool IsPlain(const std::string& name) {
  return !name.empty() && name[0] != '/' && !absl::StrContains(name, "..");
}

// The record; where `path` has backups below it, an error that names them.
absl::StatusOr<BackupRecord> FindBackup(const std::string& path) {
  auto record = LoadBackupRecord(path);
  if (ReasonOf(record.status()) != v1::FOLDER_UNUSABLE) return record;
  const auto below = ListBackups(path);
  if (!below.ok() || below->empty()) return record;
  return Error(v1::FOLDER_UNUSABLE,
               absl::StrCat("'", path, "' holds several backups; name one of them: ",
                            absl::StrJoin(*below, ", ",
                                          [](std::string* out, const BackupInfo& one) {
                                            out->append(one.path);
                                          })),
               {{"path", path}});
}

std::string Difference(const BackupFile& file, const CopiedFile& found) {
  if (found.bytes != file.bytes()) {
    return absl::StrCat("'", file.name(), "' has ", found.bytes, " bytes instead of ",
                        file.bytes());
  }
  return found.crc32c != file.crc32c()
             ? absl::StrCat("'", file.name(), "' is damaged: its checksum is wrong")
             : "";
}

absl::Status NotUsable(const std::string& path, absl::string_view why) {
  return Error(v1::FOLDER_UNUSABLE, absl::StrCat("'", path, "' ", why), {{"path", path}});
}

// Of a folder that is to become new: nothing of anybody's is in it.
absl::Status CheckEmpty(const std::string& folder) {
  std::error_code error;
  const fs::path path(folder);
  ASSIGN_OR_RETURN(const bool there, IsThere(folder));
  if (!there) return absl::OkStatus();
  for (fs::directory_iterator at(path, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name == "lost+found" || name == kLockFile) continue;
    return NotUsable(
        folder, absl::StrCat("is not empty (there is '", name, "'): restore into a new folder"));
  }
  return error ? NotUsable(folder, absl::StrCat("cannot be read: ", error.message()))
               : absl::OkStatus();
}

// Names the process that is.
absl::Status CheckNotInUse(const std::string& folder) {
  std::error_code error;
  if (!fs::exists(absl::StrCat(folder, "/", kLockFile), error)) return absl::OkStatus();
  return FolderLock::Take(folder).status();
}

void SetWritten(const std::string& path, int64_t nanos) {
  timespec times[2] = {};
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = nanos / 1'000'000'000;
  times[1].tv_nsec = nanos % 1'000'000'000;
  // Without it the next backup copies the file once more.
  (void)utimensat(AT_FDCWD, path.c_str(), times, 0);
}

class Restore {
 public:
  Restore(const RestoreOrder& order, BackupRecord record)
      : order_(order),
        record_(std::move(record)),
        files_(std::make_shared<StoreFileSystem>(nullptr)) {
    database_ = absl::StrCat(order.data, "/", kDatabaseFolder);
    log_ = order.wal_dir.empty() ? database_ : order.wal_dir;
  }

  absl::Status Run() {
    RETURN_IF_ERROR(Check());
    ASSIGN_OR_RETURN(const bool data_there, IsThere(order_.data));
    ASSIGN_OR_RETURN(const bool log_there, IsThere(log_));
    RETURN_IF_ERROR(EnsureFolder(*files_, order_.data));
    ASSIGN_OR_RETURN(lock_, FolderLock::Take(order_.data));
    // Once more: a broker may have begun on it before it was ours.
    RETURN_IF_ERROR(CheckNew());
    auto remove = absl::MakeCleanup([&] { Remove(data_there, log_there); });
    RETURN_IF_ERROR(EnsureFolder(*files_, database_));
    RETURN_IF_ERROR(EnsureFolder(*files_, log_));
    RETURN_IF_ERROR(CheckRoom());
    const BackupFile* format = nullptr;
    for (const BackupFile& file : record_.files()) {
      if (file.name() == kFormatFile) {
        format = &file;
      } else {
        RETURN_IF_ERROR(Copy(file));
      }
    }
    if (format == nullptr) return Damaged("it has no file FORMAT");
    RETURN_IF_ERROR(SyncFolder(*files_, database_));
    RETURN_IF_ERROR(SyncFolder(*files_, log_));
    // A start refuses a database without it: the last file makes the folder a data folder.
    RETURN_IF_ERROR(Copy(*format));
    RETURN_IF_ERROR(SyncFolder(*files_, order_.data));
    std::move(remove).Cancel();
    return absl::OkStatus();
  }

 private:
  absl::Status Check() {
    if (record_.format() > kFormatVersion) {
      return Error(v1::FORMAT_TOO_NEW, absl::StrCat("the backup has format ", record_.format(),
                                                    ", this program knows formats up to ",
                                                    kFormatVersion, "; use a newer acta-inspect"));
    }
    for (const BackupFile& file : record_.files()) {
      if (!IsPlain(file.name())) return Damaged(absl::StrCat("it names '", file.name(), "'"));
    }
    RETURN_IF_ERROR(CheckNotInUse(order_.data));
    return CheckNew();
  }

  absl::Status CheckNew() const {
    RETURN_IF_ERROR(CheckEmpty(order_.data));
    return order_.wal_dir.empty() ? absl::OkStatus() : CheckEmpty(order_.wal_dir);
  }

  absl::Status CheckRoom() const {
    const int64_t free = FreeBytes(order_.data);
    if (free >= total_) return absl::OkStatus();
    return Error(v1::DISK_FULL,
                 absl::StrCat("the backup has ", total_, " bytes, and ", free, " are free in '",
                              order_.data, "'"),
                 {{"path", order_.data}});
  }

  std::string PlaceOf(const BackupFile& file) const {
    return WalNumber(file.name()) >= 0
               ? absl::StrCat(log_, "/", fs::path(file.name()).filename().string())
               : absl::StrCat(order_.data, "/", file.name());
  }

  absl::Status Copy(const BackupFile& file) {
    const std::string to = PlaceOf(file);
    const auto copied = CopyFile(absl::StrCat(order_.backup, "/", file.name()), to, kWholeFile,
                                 CopyFor::kGood, [this](uint64_t bytes) {
                                   done_ += static_cast<int64_t>(bytes);
                                   if (order_.progress) order_.progress(done_, total_);
                                   return absl::OkStatus();
                                 });
    if (absl::IsDataLoss(copied.status())) return Damaged(copied.status().message());
    RETURN_IF_ERROR(copied.status());
    const std::string wrong = Difference(file, *copied);
    if (!wrong.empty()) return Damaged(wrong);
    if (file.written_ns() != 0) SetWritten(to, file.written_ns());
    return absl::OkStatus();
  }

  absl::Status Damaged(absl::string_view what) const {
    return Error(v1::DATA_CORRUPTED,
                 absl::StrCat("the backup '", order_.backup, "' is damaged: ", what,
                              "; nothing was restored: use another backup"),
                 {{"path", order_.backup}});
  }

  // What was made; folders that were there stay.
  void Remove(bool data_there, bool log_there) const {
    std::error_code ignored;
    fs::remove_all(database_, ignored);
    for (const char* name : {kWitnessFile, kFormatFile, kLockFile}) {
      fs::remove(absl::StrCat(order_.data, "/", name), ignored);
    }
    if (log_ != database_) {
      for (const BackupFile& file : record_.files()) {
        if (WalNumber(file.name()) >= 0) fs::remove(PlaceOf(file), ignored);
      }
      if (!log_there) fs::remove(log_, ignored);
    }
    if (!data_there) fs::remove(order_.data, ignored);
  }

  const RestoreOrder& order_;
  const BackupRecord record_;
  const int64_t total_ = BytesOf(record_);
  const std::shared_ptr<StoreFileSystem> files_;
  std::string database_;
  std::string log_;
  std::unique_ptr<FolderLock> lock_;
  int64_t done_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> CheckBackup(const std::string& path,
                                                     const BackupProgress& progress) {
  ASSIGN_OR_RETURN(const BackupRecord record, FindBackup(path));
  const int64_t total = BytesOf(record);
  std::vector<std::string> wrong;
  int64_t done = 0;
  for (const BackupFile& file : record.files()) {
    if (!IsPlain(file.name())) {
      wrong.push_back(absl::StrCat("the list names '", file.name(), "'"));
      continue;
    }
    const auto read = ReadThrough(absl::StrCat(path, "/", file.name()), [&](uint64_t bytes) {
      done += static_cast<int64_t>(bytes);
      if (progress) progress(done, total);
      return absl::OkStatus();
    });
    std::string what = read.ok() ? Difference(file, *read) : std::string(read.status().message());
    if (!what.empty()) wrong.push_back(std::move(what));
  }
  return wrong;
}

absl::StatusOr<BackupInfo> RestoreBackup(const RestoreOrder& order) {
  ASSIGN_OR_RETURN(const BackupRecord record, FindBackup(order.backup));
  const absl::Status restored = Restore(order, record).Run();
  if (restored.ok()) return DescribeBackup(order.backup, record);
  if (ReasonOf(restored) != v1::ERROR_REASON_UNSPECIFIED) return restored;
  if (absl::IsResourceExhausted(restored)) {
    return Error(v1::DISK_FULL, restored.message(), {{"path", order.data}});
  }
  return Error(v1::FOLDER_UNUSABLE, restored.message(), {{"path", order.data}});
}

}  // namespace acta
