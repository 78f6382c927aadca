#include "storage/rocks/wal_pages.h"

#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/rocks/store_file_system.h"
#include "tests/support/temp_dir.h"

namespace acta {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

using Ranges = std::vector<std::pair<size_t, size_t>>;  // Offset and length.

// What a file was told to drop from the cache.
struct Told {
  Ranges dropped;
  bool sync_fails = false;
  std::function<void()> in_sync;
};

class TellingFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  TellingFile(std::unique_ptr<FSWritableFile> file, Told& told)
      : FSWritableFileOwnerWrapper(std::move(file)), told_(told) {}
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    if (told_.sync_fails) return IOStatus::IOError("no");
    if (told_.in_sync != nullptr) std::exchange(told_.in_sync, nullptr)();
    return FSWritableFileOwnerWrapper::Sync(options, debug);
  }
  IOStatus InvalidateCache(size_t offset, size_t length) override {
    told_.dropped.emplace_back(offset, length);
    return FSWritableFileOwnerWrapper::InvalidateCache(offset, length);
  }

 private:
  Told& told_;
};

class TellingDisk final : public rocksdb::FileSystemWrapper {
 public:
  explicit TellingDisk(Told& told) : FileSystemWrapper(FileSystem::Default()), told_(told) {}
  const char* Name() const override { return "acta.telling_disk"; }
  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           IODebugContext* debug) override {
    const IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
    if (status.ok()) *file = std::make_unique<TellingFile>(std::move(*file), told_);
    return status;
  }

 private:
  Told& told_;
};

constexpr size_t kStretch = 256 << 10;

TEST_CASE("the log files of a store give their pages back, its other files do not") {
  const TempDir folder;
  Told told;
  StoreFileSystem files(std::make_shared<TellingDisk>(told));
  const bool log = GENERATE(false, true);
  std::unique_ptr<rocksdb::FSWritableFile> file;
  const std::string path = folder.File(log ? "000007.log" : "000007.sst");
  REQUIRE(files.NewWritableFile(path, {}, &file, nullptr).ok());
  REQUIRE(file->Append(std::string(2 * kStretch, 'x'), {}, nullptr).ok());
  REQUIRE(file->Sync({}, nullptr).ok());
  CHECK(told.dropped == (log ? Ranges{{0, 2 * kStretch}} : Ranges{}));
}

TEST_CASE("pages of a log file leave the cache once they are synced, and no others") {
  const TempDir folder;
  Told told;
  std::unique_ptr<rocksdb::FSWritableFile> plain;
  const auto disk = rocksdb::FileSystem::Default();
  REQUIRE(disk->NewWritableFile(folder.File("log"), {}, &plain, nullptr).ok());
  const auto file = GiveBackPages(std::make_unique<TellingFile>(std::move(plain), told));
  const auto append = [&file](size_t bytes) {
    REQUIRE(file->Append(std::string(bytes, 'x'), {}, nullptr).ok());
  };
  append(2 * kStretch + 100);
  CHECK(told.dropped.empty());
  told.sync_fails = true;
  CHECK_FALSE(file->Sync({}, nullptr).ok());
  CHECK(told.dropped.empty());
  told.sync_fails = false;
  REQUIRE(file->Sync({}, nullptr).ok());
  CHECK(std::exchange(told.dropped, {}) == Ranges{{0, 2 * kStretch}});
  append(1000);
  REQUIRE(file->Sync({}, nullptr).ok());
  CHECK(told.dropped.empty());
  append(kStretch);
  told.in_sync = [&append] { append(kStretch); };  // Not covered by this sync.
  REQUIRE(file->Sync({}, nullptr).ok());
  CHECK(std::exchange(told.dropped, {}) == Ranges{{0, 3 * kStretch}});
  // What the kernel kept in one piece with later pages goes too.
  append(20 * kStretch);
  REQUIRE(file->Sync({}, nullptr).ok());
  CHECK(std::exchange(told.dropped, {}) == Ranges{{0, 24 * kStretch}});
  append(kStretch);
  REQUIRE(file->Sync({}, nullptr).ok());
  CHECK(told.dropped == Ranges{{16 * kStretch, 9 * kStretch}});
}

}  // namespace
}  // namespace acta
