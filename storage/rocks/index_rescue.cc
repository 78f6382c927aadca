#include "storage/rocks/index_rescue.h"

#include <rocksdb/ldb_tool.h>
#include <rocksdb/utilities/ldb_cmd.h>

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "storage/rocks/read_only_files.h"
#include "storage/rocks/rocks_status.h"

namespace acta {
namespace {

using Numbers = std::set<uint64_t>;

// The table files that a text names: 17 of "/data/db/000017.sst: no such file", also under the name
// they had in LevelDB, which is tried when there is none.
Numbers TablesIn(const std::string& text) {
  Numbers numbers;
  for (const char* const kind : {".sst", ".ldb"}) {
    for (size_t end = text.find(kind); end != std::string::npos; end = text.find(kind, end + 1)) {
      size_t begin = end;
      while (begin > 0 && absl::ascii_isdigit(static_cast<unsigned char>(text[begin - 1]))) --begin;
      uint64_t number = 0;
      if (absl::SimpleAtoi(text.substr(begin, end - begin), &number)) numbers.insert(number);
    }
  }
  return numbers;
}

// Of these families.
absl::StatusOr<Numbers> LiveTables(rocksdb::DBOptions options, const std::string& path,
                                   const FamilyList& families) {
  options.sst_file_manager = nullptr;  // It deletes files.
  options.wal_filter = nullptr;
  options.listeners.clear();
  options.info_log = std::make_shared<NoLog>();
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  RETURN_IF_ERROR(
      FromRocks(rocksdb::DB::OpenForReadOnly(options, path, families, &handles, &opened)));
  const std::unique_ptr<rocksdb::DB> db(opened);
  std::vector<rocksdb::LiveFileMetaData> files;
  db->GetLiveFilesMetaData(&files);
  for (rocksdb::ColumnFamilyHandle* const handle : handles) {
    db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  }
  Numbers numbers;
  for (const rocksdb::LiveFileMetaData& file : files) numbers.insert(file.file_number);
  return numbers;
}

}  // namespace

bool IsIndexFamily(const std::string& name) { return absl::StartsWith(name, "index."); }

FamilyList WithoutIndexes(const FamilyList& families) {
  FamilyList others = families;
  std::erase_if(others, [](const auto& family) { return IsIndexFamily(family.name); });
  return others;
}

absl::StatusOr<std::set<uint64_t>> IndexRescue::Find(const rocksdb::Status& failure) {
  // A full disk, or one that does not answer, is no matter of what is on it.
  const bool damage = failure.IsCorruption() || failure.IsNotFound() || failure.IsPathNotFound();
  const Numbers broken = TablesIn(failure.ToString());
  if (!damage || broken.empty()) return FromRocks(failure);
  if (!of_the_log_.has_value()) {
    const auto live = LiveTables(options_, path_, WithoutIndexes(families_));
    if (!live.ok()) return FromRocks(failure);
    of_the_log_ = *live;
  }
  for (const uint64_t number : broken) {
    if (of_the_log_->contains(number)) return FromRocks(failure);
  }
  return broken;
}

absl::Status IndexRescue::Forget(const std::set<uint64_t>& files) const {
  rocksdb::Options options;
  options.env = options_.env;
  for (const uint64_t number : files) {
    const std::unique_ptr<rocksdb::LDBCommand> command(rocksdb::LDBCommand::InitFromCmdLineArgs(
        {absl::StrCat("--db=", path_), "unsafe_remove_sst_file", absl::StrCat(number)}, options,
        rocksdb::LDBOptions(), nullptr));
    if (command == nullptr) return absl::InternalError("the database's tool knows no such command");
    command->Run();
    rocksdb::LDBCommandExecuteResult result = command->GetExecuteState();
    if (!result.IsFailed()) continue;
    return absl::DataLossError(absl::StrCat("table file ", number,
                                            " of the index of journeys cannot be read, and was not "
                                            "taken out: ",
                                            result.ToString()));
  }
  return absl::OkStatus();
}

}  // namespace acta
