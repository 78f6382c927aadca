#include "storage/rocks/wal_pages.h"

#include <catch2/catch.hpp>

#include <string>
#include <utility>
#include <vector>

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
};

class TellingFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  TellingFile(std::unique_ptr<FSWritableFile> file, Told& told)
      : FSWritableFileOwnerWrapper(std::move(file)), told_(told) {}
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    if (told_.sync_fails) return IOStatus::IOError("no");
    return FSWritableFileOwnerWrapper::Sync(options, debug);
  }
  IOStatus InvalidateCache(size_t offset, size_t length) override {
    told_.dropped.emplace_back(offset, length);
    return FSWritableFileOwnerWrapper::InvalidateCache(offset, length);
  }

 private:
  Told& told_;
};

TEST_CASE("pages of a log file leave the cache once they are synced, and no others") {
  constexpr size_t kStretch = 256 << 10;
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
  REQUIRE(file->Sync({}, nullptr).ok());
  CHECK(told.dropped == Ranges{{2 * kStretch, kStretch}});
}

}  // namespace
}  // namespace acta
