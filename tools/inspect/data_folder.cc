#include "tools/inspect/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"
#include "storage/log/folder.h"
#include "storage/rocks/rocks_options.h"
#include "storage/rocks/store_file_system.h"

namespace acta::inspect {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

absl::Status LoadFormat(DataFolder* folder) {
  const std::string path = absl::StrCat(folder->path, "/", kFormatFile);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return Error(v1::FOLDER_UNUSABLE,
                 error ? absl::StrCat("'", folder->path, "' cannot be read: ", error.message())
                       : absl::StrCat("'", folder->path, "' has no file ", kFormatFile,
                                      ": it is not a data folder"),
                 {{"path", folder->path}});
  }
  RETURN_IF_ERROR(CheckFormat(folder->path));
  const std::vector<std::string> words = absl::StrSplit(ReadFile(path), absl::ByAnyChar(" \n"));
  if (words.size() < 2 || !absl::SimpleAtoi(words[1], &folder->format)) folder->format = 0;
  return absl::OkStatus();
}

void LoadWitness(DataFolder* folder) {
  const std::string bytes = ReadFile(absl::StrCat(folder->path, "/", kWitnessFile));
  uint64_t newest = 0;
  for (const size_t at : {size_t{0}, Witness::kSlotBytes}) {
    WitnessRecord record;
    uint64_t version = 0;
    if (bytes.size() < at + Witness::kSlotBytes) continue;
    const absl::string_view slot = absl::string_view(bytes).substr(at, Witness::kSlotBytes);
    if (!DecodeWitness(slot, &record, &version)) continue;
    if (folder->witness.has_value() && version < newest) continue;
    folder->witness = std::move(record);
    newest = version;
  }
}

void FindMissingWals(const std::string& wal_folder, DataFolder* folder) {
  if (!folder->witness.has_value()) return;
  std::set<uint64_t> there;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(wal_folder, error)) {
    const int64_t number = WalNumber(entry.path().string());
    if (number >= 0) there.insert(static_cast<uint64_t>(number));
  }
  for (const uint64_t number : folder->witness->live_wals) {
    if (!there.contains(number)) folder->missing_wals.push_back(number);
  }
}

// Calls `use` with what follows `prefix` in the key, and the parsed record.
template <typename Record, typename Use>
void LoadRecords(const FamilyPtr& family, absl::string_view prefix, DataFolder* folder, Use use) {
  const auto cursor = folder->rocks->NewCursor(family, 0);
  for (cursor->Seek(prefix); cursor->Valid() && cursor->key().substr(0, prefix.size()) == prefix;
       cursor->Next()) {
    Record record;
    const absl::string_view value = cursor->value();
    if (!record.ParseFromArray(value.data(), static_cast<int>(value.size())) ||
        !use(cursor->key().substr(prefix.size()), std::move(record))) {
      folder->damage.push_back(
          absl::StrCat("row '", absl::CHexEscape(cursor->key()), "' cannot be read"));
    }
  }
  if (!cursor->status().ok()) {
    folder->damage.push_back(
        absl::StrCat("rows '", prefix, "' cannot be read: ", cursor->status().message()));
  }
}

// "tenant/name".
bool ParseName(absl::string_view key, std::string* tenant, std::string* name) {
  const size_t slash = key.find('/');
  if (slash == absl::string_view::npos) return false;
  *tenant = std::string(key.substr(0, slash));
  *name = std::string(key.substr(slash + 1));
  return true;
}

void LoadNames(DataFolder* folder) {
  const FamilyPtr meta = folder->rocks->meta();
  LoadRecords<storage::v1::TopicRecord>(
      meta, kTopicRows, folder, [folder](absl::string_view key, storage::v1::TopicRecord record) {
        NamedTopic& topic = folder->topics[TopicId(record.topic_id())];
        topic.record = std::move(record);
        return ParseName(key, &topic.tenant, &topic.name);
      });
  LoadRecords<storage::v1::GroupRecord>(
      meta, kGroupRows, folder, [folder](absl::string_view key, storage::v1::GroupRecord record) {
        NamedGroup& group = folder->groups[GroupId(record.group_id())];
        group.record = std::move(record);
        return ParseName(key, &group.tenant, &group.name);
      });
}

void LoadPlaces(DataFolder* folder) {
  LoadRecords<storage::v1::PartitionRecord>(
      folder->rocks->meta(), kPartitionRows, folder,
      [folder](absl::string_view key, storage::v1::PartitionRecord record) {
        if (key.size() != 8) return false;
        folder->partitions[PartitionId(GetBig64(key.data()))] = std::move(record);
        return true;
      });
  LoadRecords<storage::v1::PositionRecord>(
      folder->rocks->state(), kPositionRows, folder,
      [folder](absl::string_view key, storage::v1::PositionRecord record) {
        if (key.size() != 16) return false;
        folder->positions.push_back({GroupId(GetBig64(key.data())),
                                     PartitionId(GetBig64(key.data() + 8)), std::move(record)});
        return true;
      });
  LoadRecords<storage::v1::ProducerSnapshot>(
      folder->rocks->state(), kProducerRows, folder,
      [](absl::string_view key, const storage::v1::ProducerSnapshot&) { return key.size() == 8; });
}

void LoadSlices(DataFolder* folder) {
  std::map<uint64_t, storage::v1::SliceRecord> records;
  LoadRecords<storage::v1::SliceRecord>(
      folder->rocks->meta(), kSliceRows, folder,
      [&records](absl::string_view key, storage::v1::SliceRecord record) {
        records[record.slice_id()] = std::move(record);
        return key.size() == 8;
      });
  for (const auto& [name, family] : folder->rocks->slices()) {
    const std::vector<std::string> parts = absl::StrSplit(name, '.');
    SliceFamily slice;
    slice.family = family;
    if (parts.size() != 3 || !absl::SimpleAtoi(parts[1], &slice.class_seconds) ||
        !absl::SimpleAtoi(parts[2], &slice.id)) {
      folder->damage.push_back(absl::StrCat("unknown family '", name, "'"));
      continue;
    }
    const auto record = records.find(slice.id);
    if (record != records.end()) slice.record = record->second;
    folder->slices.push_back(std::move(slice));
  }
  std::sort(folder->slices.begin(), folder->slices.end(),
            [](const SliceFamily& a, const SliceFamily& b) { return a.id < b.id; });
}

}  // namespace

absl::StatusOr<std::unique_ptr<SharedLock>> SharedLock::Take(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/", kLockFile);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    // A copy or a backup may have none: then nobody runs on it.
    if (errno == ENOENT) return std::unique_ptr<SharedLock>(new SharedLock(-1));
    return Error(v1::FOLDER_UNUSABLE,
                 absl::StrCat("cannot open '", path, "': ", std::strerror(errno)),
                 {{"path", folder}});
  }
  if (flock(fd, LOCK_SH | LOCK_NB) != 0) {
    const std::string owner = ReadFile(path);
    close(fd);
    return Error(v1::FOLDER_IN_USE,
                 absl::StrCat("a broker is running on data folder '", folder, "'",
                              owner.empty() ? "" : absl::StrCat(" (process ", owner, ")"),
                              "; stop it or look at a copy"),
                 {{"path", folder}});
  }
  return std::unique_ptr<SharedLock>(new SharedLock(fd));
}

SharedLock::~SharedLock() {
  if (fd_ >= 0) close(fd_);
}

std::string DataFolder::NameOf(PartitionId partition) const {
  const auto topic = topics.find(partition.topic());
  std::string name;
  if (topic != topics.end()) {
    name = absl::StrCat(topic->second.tenant, "/", topic->second.name);
  } else if (partition.topic() == kLedgerTopic) {
    name = "(ledger)";
  } else {
    name = absl::StrCat("(topic ", partition.topic().value(), ")");
  }
  return absl::StrCat(name, "/", partition.partition());
}

std::string DataFolder::NameOf(GroupId group) const {
  const auto named = groups.find(group);
  if (named == groups.end()) return absl::StrCat("(group ", group.value(), ")");
  return absl::StrCat(named->second.tenant, "/", named->second.name);
}

absl::StatusOr<DataFolder> OpenDataFolder(const std::string& path, const std::string& wal_folder) {
  DataFolder folder;
  folder.path = path;
  RETURN_IF_ERROR(LoadFormat(&folder));
  ASSIGN_OR_RETURN(folder.lock, SharedLock::Take(path));
  LoadWitness(&folder);
  RocksSettings settings;
  settings.path = absl::StrCat(path, "/", kDatabaseFolder);
  settings.wal_dir = wal_folder;
  FindMissingWals(wal_folder.empty() ? settings.path : wal_folder, &folder);
  auto rocks = RocksStore::OpenReadOnly(settings);
  if (!rocks.ok()) {
    return Error(
        v1::DATA_LOST,
        absl::StrCat("the database of '", path, "' cannot be opened: ", rocks.status().message()),
        {{"path", path}});
  }
  folder.rocks = *std::move(rocks);
  ASSIGN_OR_RETURN(const auto row, folder.rocks->Get(folder.rocks->meta(), kStoreRow));
  if (!row.has_value() || !folder.store.ParseFromString(*row)) {
    folder.damage.emplace_back("the store record is missing or cannot be read");
  }
  LoadNames(&folder);
  LoadPlaces(&folder);
  LoadSlices(&folder);
  return folder;
}

}  // namespace acta::inspect
