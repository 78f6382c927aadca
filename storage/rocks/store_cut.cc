#include "storage/rocks/store_cut.h"

#include <rocksdb/db.h>
#include <rocksdb/metadata.h>
#include <rocksdb/options.h>

#include <filesystem>
#include <limits>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "storage/rocks/file_copy.h"
#include "storage/rocks/rocks_status.h"

namespace acta {
namespace {

// What is in memory stays there: the log files have it.
constexpr uint64_t kNeverFlush = std::numeric_limits<uint64_t>::max();

absl::StatusOr<CutFile> CutOne(const rocksdb::LiveFileStorageInfo& live,
                               const CutFolders& folders) {
  const bool log = live.file_type == rocksdb::kWalFile;
  CutFile cut;
  cut.name = live.relative_filename;
  cut.bytes = live.size;
  cut.table = live.file_type == rocksdb::kTableFile;
  cut.contents = live.replacement_contents;
  if (!cut.contents.empty()) return cut;
  const std::string from = absl::StrCat(live.directory, "/", live.relative_filename);
  cut.path = absl::StrCat(log ? folders.log : folders.tables, "/", live.relative_filename);
  // The newest log file grows, and the zeros at its end become records: a second name would show
  // what came later, and not all of it in order.
  if (log && live.trim_to_size) {
    ASSIGN_OR_RETURN(const CopiedFile copied, CopyFile(from, cut.path, live.size, CopyFor::kNow,
                                                       [](uint64_t) { return absl::OkStatus(); }));
    cut.bytes = copied.bytes;
    return cut;
  }
  std::error_code failed;
  std::filesystem::create_hard_link(from, cut.path, failed);
  if (failed) {
    return absl::InternalError(
        absl::StrCat("cannot give '", from, "' a second name: ", failed.message()));
  }
  return cut;
}

}  // namespace

absl::StatusOr<std::vector<CutFile>> CutStore(rocksdb::DB& db, const CutFolders& folders) {
  RETURN_IF_ERROR(FromRocks(db.DisableFileDeletions()));
  const auto enable =
      absl::MakeCleanup([&db] { db.EnableFileDeletions(false).PermitUncheckedError(); });
  rocksdb::LiveFilesStorageInfoOptions options;
  options.wal_size_for_flush = kNeverFlush;
  std::vector<rocksdb::LiveFileStorageInfo> live;
  RETURN_IF_ERROR(FromRocks(db.GetLiveFilesStorageInfo(options, &live)));
  std::vector<CutFile> files;
  files.reserve(live.size());
  for (const rocksdb::LiveFileStorageInfo& file : live) {
    ASSIGN_OR_RETURN(CutFile cut, CutOne(file, folders));
    files.push_back(std::move(cut));
  }
  return files;
}

}  // namespace acta
