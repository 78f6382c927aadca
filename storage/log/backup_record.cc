#include "storage/log/backup_record.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "proto/support/error.h"
#include "storage/base/random.h"
#include "storage/layout/engine_rows.h"
#include "storage/log/folder.h"

namespace acta {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kIdForm = "dddd-dd-ddTdd-dd-ddZ";

absl::Status CannotUse(absl::string_view what, const std::string& path,
                       const std::error_code& why) {
  return Error(v1::FOLDER_UNUSABLE, absl::StrCat("cannot ", what, " '", path, "': ", why.message()),
               {{"path", path}});
}

BackupInfo DescribeOrComplain(const std::string& path) {
  const auto record = LoadBackupRecord(path);
  if (record.ok()) return DescribeBackup(path, *record);
  BackupInfo unusable;
  unusable.id = fs::path(path).filename().string();
  unusable.path = path;
  unusable.problem = std::string(record.status().message());
  return unusable;
}

}  // namespace

std::string BackupId(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H-%M-%SZ", time, absl::UTCTimeZone());
}

bool IsBackupId(absl::string_view name) {
  if (name.size() < kIdForm.size()) return false;
  for (size_t i = 0; i < kIdForm.size(); ++i) {
    const bool fits = kIdForm[i] == 'd' ? absl::ascii_isdigit(name[i]) : name[i] == kIdForm[i];
    if (!fits) return false;
  }
  const absl::string_view number = name.substr(kIdForm.size());
  return number.empty() || (number.size() > 1 && number.size() < 10 && number[0] == '-' &&
                            std::all_of(number.begin() + 1, number.end(), absl::ascii_isdigit));
}

std::string EncodeBackupRecord(const storage::v1::BackupRecord& record) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  // It has no `Any`, which alone can fail.
  (void)google::protobuf::util::MessageToJsonString(record, &json, options);
  return json;
}

absl::StatusOr<storage::v1::BackupRecord> LoadBackupRecord(const std::string& path) {
  const std::string file = absl::StrCat(path, "/", kBackupFile);
  std::ifstream in(file);
  if (!in) {
    return Error(
        v1::FOLDER_UNUSABLE,
        absl::StrCat("'", path, "' is no backup: cannot open '", file, "': ", std::strerror(errno)),
        {{"path", path}});
  }
  std::stringstream text;
  text << in.rdbuf();
  storage::v1::BackupRecord record;
  if (!google::protobuf::util::JsonStringToMessage(text.str(), &record).ok() ||
      record.store_id().empty() || record.files().empty()) {
    return Error(v1::DATA_CORRUPTED,
                 absl::StrCat("the list of files '", file, "' is damaged: use another backup"),
                 {{"path", path}});
  }
  return record;
}

int64_t BytesOf(const storage::v1::BackupRecord& record) {
  int64_t bytes = 0;
  for (const storage::v1::BackupFile& file : record.files()) {
    bytes += static_cast<int64_t>(file.bytes());
  }
  return bytes;
}

BackupInfo DescribeBackup(const std::string& path, const storage::v1::BackupRecord& record) {
  BackupInfo info;
  info.id = fs::path(path).filename().string();
  info.path = path;
  info.time = absl::FromUnixMicros(record.time_us());
  info.store_id = record.store_id();
  info.incarnation = Incarnation(record.incarnation());
  info.group = GroupNumber(record.group());
  info.files = record.files_size();
  info.bytes = BytesOf(record);
  info.added_bytes = record.added_bytes();
  return info;
}

absl::StatusOr<std::vector<BackupInfo>> ListBackups(const std::string& folder) {
  std::vector<BackupInfo> backups;
  std::error_code error;
  fs::directory_iterator at(folder, error);
  if (error == std::errc::no_such_file_or_directory) return backups;
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    if (IsBackupId(at->path().filename().string())) {
      backups.push_back(DescribeOrComplain(at->path().string()));
    }
  }
  if (error) return CannotUse("list", folder, error);
  // Those of one second by the length of their number first.
  const auto order = [](const BackupInfo& info) {
    return std::make_tuple(info.id.substr(0, kIdForm.size()), info.id.size(), info.id);
  };
  std::sort(backups.begin(), backups.end(),
            [&order](const BackupInfo& a, const BackupInfo& b) { return order(a) < order(b); });
  return backups;
}

std::vector<std::string> HiddenBackups(const std::string& folder, absl::string_view suffix) {
  std::vector<std::string> ids;
  std::error_code error;
  for (fs::directory_iterator at(folder, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    absl::string_view id = name;
    const bool hidden = absl::ConsumePrefix(&id, ".") && absl::ConsumeSuffix(&id, suffix);
    if (hidden && IsBackupId(id)) ids.emplace_back(id);
  }
  return ids;
}

void GiveUpBackup(const std::string& folder, const std::string& id, const std::string& path) {
  std::error_code failed, ignored;
  fs::rename(path, fs::path(folder) / absl::StrCat(".", id, kDeleted), failed);
  if (failed) fs::remove_all(path, ignored);
  // Where that fails, what a power cut brings back is whole, or given up anew.
  (void)SyncFolderAt(folder);
}

absl::Status DeleteBackup(const std::string& folder, const std::string& id) {
  const fs::path path = fs::path(folder) / id;
  std::error_code error;
  const bool named = IsBackupId(id);
  if (!named || !fs::is_directory(path, error)) {
    // What is no name may be too long for an error.
    return Error(
        v1::BACKUP_NOT_FOUND,
        absl::StrCat("there is no backup ", named ? absl::StrCat("'", id, "'") : "so named",
                     " in '", folder, "'; `acta backup list` shows those there are"));
  }
  // Under a name that is no backup's, so that one that is half gone is never taken for one.
  fs::rename(path, fs::path(folder) / absl::StrCat(".", id, kDeleted), error);
  return error ? CannotUse("delete", path.string(), error) : SyncFolderAt(folder);
}

absl::Status RefuseBackup(const std::string& folder) {
  std::error_code error;
  if (!fs::exists(absl::StrCat(folder, "/", kBackupFile), error)) return absl::OkStatus();
  return Error(v1::FOLDER_UNUSABLE,
               absl::StrCat("'", folder,
                            "' is a backup, which a broker would change; make a data "
                            "folder of it with `acta-inspect restore --backup ",
                            folder, " --data NEW` and start on that"),
               {{"path", folder}});
}

uint32_t NextLife(const WitnessRecord& witness) {
  if (witness.boot_id != kBackupBoot) return 1;
  return kLivesLeftOut + static_cast<uint32_t>(DrawNumber() % kLivesLeftOut);
}

}  // namespace acta
