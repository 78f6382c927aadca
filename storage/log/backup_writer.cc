#include "storage/log/backup_writer.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
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

constexpr int64_t kLookAfterBytes = int64_t{64} << 20;
// Whoever gives up a backup waits no longer for a copy that keeps its rate.
constexpr std::chrono::milliseconds kNap(50);

int64_t WrittenNanos(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) return 0;
  return file.st_mtim.tv_sec * int64_t{1'000'000'000} + file.st_mtim.tv_nsec;
}

bool OnOneDisk(const std::string& a, const std::string& b) {
  struct stat of_a {
  }, of_b{};
  return stat(a.c_str(), &of_a) == 0 && stat(b.c_str(), &of_b) == 0 && of_a.st_dev == of_b.st_dev;
}

// What retention has dropped meanwhile leaves the disk now.
void Release(const CutFile& file) {
  std::error_code ignored;
  fs::remove(file.path, ignored);
}

// What is copied, and what only gets another name.
struct Step {
  const CutFile* file = nullptr;
  const BackupFile* shared = nullptr;  // Of the backup before; null: it is copied.
  int64_t written_ns = 0;
};

class Writer {
 public:
  Writer(const StoreCut& cut, const BackupPlace& place, const BackupOrder& order)
      : cut_(cut),
        place_(place),
        order_(order),
        // Where it is scarce already, a backup is what is wanted most.
        watched_(FreeBytes(place.data) >= place.reserve_bytes) {}

  absl::StatusOr<BackupInfo> Write() {
    RETURN_IF_ERROR(LookAtOthers());
    Plan();
    RETURN_IF_ERROR(CheckRoom());
    const std::string id = NewId();
    folder_ = absl::StrCat(order_.folder, "/.", id, kUnfinished);
    auto give_up = absl::MakeCleanup([this, &id] { GiveUpBackup(order_.folder, id, folder_); });
    RETURN_IF_ERROR(EnsureFolder(*place_.files, folder_));
    RETURN_IF_ERROR(EnsureFolder(*place_.files, Database()));
    for (const Step& step : steps_) {
      RETURN_IF_ERROR(Bring(step));
      RETURN_IF_ERROR(GoOn());
    }
    RETURN_IF_ERROR(SyncFolder(*place_.files, Database()));
    RETURN_IF_ERROR(WriteWitness());
    RETURN_IF_ERROR(WriteFormat());
    RETURN_IF_ERROR(WriteRecord());
    RETURN_IF_ERROR(GoOn());
    const std::string path = absl::StrCat(order_.folder, "/", id);
    std::error_code failed;
    fs::rename(folder_, path, failed);
    if (failed) return absl::InternalError(absl::StrCat("cannot rename: ", failed.message()));
    folder_ = path;  // It goes as well unless its name is on disk.
    RETURN_IF_ERROR(SyncFolder(*place_.files, order_.folder));
    std::move(give_up).Cancel();
    return DescribeBackup(path, record_);
  }

 private:
  std::string Database() const { return absl::StrCat(folder_, "/", kDatabaseFolder); }

  // Finds the one before.
  absl::Status LookAtOthers() {
    ASSIGN_OR_RETURN(const std::vector<BackupInfo> there, ListBackups(order_.folder));
    for (const BackupInfo& backup : there) {
      names_.push_back(backup.id);
      if (!backup.problem.empty()) continue;
      if (backup.store_id != cut_.witness.store_id) {
        return Error(v1::FOLDER_UNUSABLE,
                     absl::StrCat("'", order_.folder, "' has backups of another store (",
                                  backup.store_id, "): each store needs a folder of its own"),
                     {{"path", order_.folder}});
      }
      before_path_ = backup.path;
    }
    for (const std::string& id : HiddenBackups(order_.folder, kUnfinished)) {
      GiveUpBackup(order_.folder, id, absl::StrCat(order_.folder, "/.", id, kUnfinished));
    }
    for (std::string& id : HiddenBackups(order_.folder, kDeleted)) names_.push_back(std::move(id));
    if (before_path_.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(before_, LoadBackupRecord(before_path_));
    return absl::OkStatus();
  }

  // It has the size that it had: somebody may have copied the folder, and not all of it.
  bool IsWhole(const BackupFile& file) const {
    std::error_code error;
    const auto bytes = fs::file_size(absl::StrCat(before_path_, "/", file.name()), error);
    return !error && bytes == file.bytes();
  }

  void Plan() {
    std::map<std::string, const BackupFile*> before;
    for (const BackupFile& file : before_.files()) before[file.name()] = &file;
    for (const CutFile& file : cut_.files) {
      Step step;
      step.file = &file;
      if (file.table) {
        step.written_ns = WrittenNanos(file.path);
        const auto same = before.find(absl::StrCat(kDatabaseFolder, "/", file.name));
        if (same != before.end() && same->second->bytes() == file.bytes &&
            same->second->written_ns() == step.written_ns && step.written_ns != 0 &&
            IsWhole(*same->second)) {
          step.shared = same->second;
        }
      }
      if (step.shared == nullptr) total_ += static_cast<int64_t>(file.bytes);
      steps_.push_back(step);
    }
  }

  absl::Status CheckRoom() const {
    const int64_t free = FreeBytes(order_.folder);
    const int64_t reserve = OnOneDisk(place_.data, order_.folder) ? place_.reserve_bytes : 0;
    if (free - reserve >= total_) return absl::OkStatus();
    const std::string stays =
        reserve > 0
            ? absl::StrCat(", of which ", reserve, " stay for events (storage.disk_soft_bytes)")
            : "";
    return Error(
        v1::DISK_FULL,
        absl::StrCat("the backup takes ", total_, " bytes in '", order_.folder, "', and ", free,
                     " are free", stays, "; free disk, delete old backups or name another folder"),
        {{"path", order_.folder}});
  }

  // Behind all of this second: one of them that was deleted does not lend its name.
  std::string NewId() const {
    const std::string id = BackupId(cut_.time);
    int64_t last = 0;
    for (absl::string_view name : names_) {
      if (!absl::ConsumePrefix(&name, id)) continue;
      int64_t number = 0;
      if (!absl::SimpleAtoi(absl::StripPrefix(name, "-"), &number)) number = 1;
      last = std::max(last, number);
    }
    return last == 0 ? id : absl::StrCat(id, "-", last + 1);
  }

  absl::Status Copied(int64_t bytes) {
    copied_ += bytes;
    RETURN_IF_ERROR(GoOn());
    const bool look = copied_ / kLookAfterBytes != (copied_ - bytes) / kLookAfterBytes;
    if (look && watched_ && FreeBytes(place_.data) < place_.reserve_bytes) {
      return Error(v1::DISK_FULL,
                   absl::StrCat("what is left of the disk of '", place_.data,
                                "' stays for events (storage.disk_soft_bytes): the backup, which "
                                "keeps what is being deleted, was given up"),
                   {{"path", place_.data}});
    }
    return KeepRate();
  }

  absl::Status KeepRate() const {
    using Seconds = std::chrono::duration<double>;
    if (order_.bytes_per_second == 0) return absl::OkStatus();
    const Seconds due(static_cast<double>(copied_) / static_cast<double>(order_.bytes_per_second));
    for (;;) {
      const Seconds left = due - (std::chrono::steady_clock::now() - begun_);
      if (left <= Seconds::zero()) return absl::OkStatus();
      std::this_thread::sleep_for(std::min<Seconds>(left, kNap));
      RETURN_IF_ERROR(GoOn());
    }
  }

  absl::Status GoOn() const {
    if (!order_.go_on || order_.go_on(copied_, total_)) return absl::OkStatus();
    return absl::CancelledError("the backup was stopped");
  }

  absl::Status Bring(const Step& step) {
    BackupFile* const file = record_.add_files();
    file->set_name(absl::StrCat(kDatabaseFolder, "/", step.file->name));
    const std::string to = absl::StrCat(folder_, "/", file->name());
    if (step.shared != nullptr) {
      std::error_code failed;
      fs::create_hard_link(absl::StrCat(before_path_, "/", step.shared->name()), to, failed);
      if (!failed) {
        *file = *step.shared;
        Release(*step.file);
        return absl::OkStatus();
      }
      total_ += static_cast<int64_t>(step.file->bytes);
    }
    if (step.file->path.empty()) {
      RETURN_IF_ERROR(
          WriteDurableFile(*place_.files, Database(), step.file->name, step.file->contents));
      return Note(file);
    }
    const auto each = [this](uint64_t bytes) { return Copied(static_cast<int64_t>(bytes)); };
    ASSIGN_OR_RETURN(const CopiedFile copied,
                     CopyFile(step.file->path, to, step.file->bytes, CopyFor::kGood, each));
    if (step.file->table && copied.bytes != step.file->bytes) {
      return absl::DataLossError(absl::StrCat("'", step.file->path, "' has ", copied.bytes,
                                              " bytes instead of ", step.file->bytes));
    }
    file->set_bytes(copied.bytes);
    file->set_crc32c(copied.crc32c);
    file->set_written_ns(step.written_ns);
    record_.set_added_bytes(record_.added_bytes() + static_cast<int64_t>(copied.bytes));
    Release(*step.file);
    return absl::OkStatus();
  }

  // Size and checksum of a small file that was written.
  absl::Status Note(BackupFile* file) {
    ASSIGN_OR_RETURN(const CopiedFile read, ReadThrough(absl::StrCat(folder_, "/", file->name()),
                                                        [](uint64_t) { return absl::OkStatus(); }));
    file->set_bytes(read.bytes);
    file->set_crc32c(read.crc32c);
    record_.set_added_bytes(record_.added_bytes() + static_cast<int64_t>(read.bytes));
    return absl::OkStatus();
  }

  absl::Status WriteWitness() {
    const std::string path = absl::StrCat(folder_, "/", kWitnessFile);
    ASSIGN_OR_RETURN(const auto witness, Witness::Open(place_.files, path));
    RETURN_IF_ERROR(witness->Update([this](WitnessRecord& record) {
      record = cut_.witness;
      record.boot_id = kBackupBoot;
      record.clean = false;
      record.live_wals.clear();
      for (const CutFile& file : cut_.files) {
        const int64_t number = WalNumber(file.name);
        if (number >= 0) record.live_wals.insert(static_cast<uint64_t>(number));
      }
    }));
    BackupFile* const file = record_.add_files();
    file->set_name(kWitnessFile);
    return Note(file);
  }

  absl::Status WriteFormat() {
    RETURN_IF_ERROR(WriteDurableFile(*place_.files, folder_, kFormatFile,
                                     absl::StrCat("acta ", kFormatVersion, "\n")));
    BackupFile* const file = record_.add_files();
    file->set_name(kFormatFile);
    return Note(file);
  }

  absl::Status WriteRecord() {
    record_.set_format(kFormatVersion);
    record_.set_store_id(cut_.witness.store_id);
    record_.set_incarnation(cut_.witness.incarnation.value());
    record_.set_group(cut_.witness.synced_group.value());
    record_.set_time_us(absl::ToUnixMicros(cut_.time));
    return WriteDurableFile(*place_.files, folder_, kBackupFile, EncodeBackupRecord(record_));
  }

  const StoreCut& cut_;
  const BackupPlace& place_;
  const BackupOrder& order_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  const bool watched_;              // The disk of the data folder had what is to stay free.
  std::vector<std::string> names_;  // Of all there are.
  std::string before_path_;
  BackupRecord before_;
  std::vector<Step> steps_;
  std::string folder_;
  BackupRecord record_;
  int64_t copied_ = 0;
  int64_t total_ = 0;
};

}  // namespace

absl::Status BackupError(const absl::Status& status, const std::string& folder) {
  if (status.ok() || ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED) return status;
  if (absl::IsResourceExhausted(status)) {
    return Error(v1::DISK_FULL, absl::StrCat("no room for the backup: ", status.message()),
                 {{"path", folder}});
  }
  if (absl::IsPermissionDenied(status)) {
    return Error(v1::FOLDER_UNUSABLE,
                 absl::StrCat(status.message(), "; correct owner and mode, or name another folder"),
                 {{"path", folder}});
  }
  return status;
}

absl::Status CheckRoomForCut(const BackupPlace& place, const BackupOrder& order,
                             const std::string& log, int64_t bytes) {
  const absl::Status there = EnsureFolder(*place.files, order.folder);
  if (!there.ok()) return BackupError(there, order.folder);
  const int64_t free = FreeBytes(log);
  int64_t stays = bytes;  // A disk of its own: the log grows meanwhile.
  if (OnOneDisk(place.data, log)) {
    // Where it is scarce already, a backup to another disk is what is wanted most.
    const bool keeps = free >= place.reserve_bytes || OnOneDisk(place.data, order.folder);
    stays = keeps ? place.reserve_bytes : place.hard_bytes;
  }
  if (free - stays >= bytes) return absl::OkStatus();
  return Error(v1::DISK_FULL,
               absl::StrCat("for a backup the newest file of the log is copied in '", log, "', ",
                            bytes, " bytes, and ", free, " are free, of which ", stays,
                            " stay for events; free disk"),
               {{"path", log}});
}

const std::string& LogFolder(const LocalEngineOptions& options) {
  return options.wal_dir.empty() ? options.data : options.wal_dir;
}

CutFolders FoldersOfCut(const LocalEngineOptions& options) {
  return {absl::StrCat(options.data, "/", kCutFolder),
          absl::StrCat(LogFolder(options), "/", kCutFolder)};
}

void RemoveCut(const LocalEngineOptions& options) {
  const CutFolders folders = FoldersOfCut(options);
  std::error_code ignored;
  fs::remove_all(folders.tables, ignored);
  fs::remove_all(folders.log, ignored);
}

absl::StatusOr<BackupInfo> WriteBackup(const StoreCut& cut, const BackupPlace& place,
                                       const BackupOrder& order) {
  const absl::Status there = EnsureFolder(*place.files, order.folder);
  if (!there.ok()) return BackupError(there, order.folder);
  // Two brokers that are told the same folder do not remove what the other one is making.
  ASSIGN_OR_RETURN(const auto lock, FolderLock::Take(order.folder));
  auto written = Writer(cut, place, order).Write();
  if (!written.ok()) return BackupError(written.status(), order.folder);
  return written;
}

}  // namespace acta
