#include "storage/rocks/rocks_store.h"

#include <catch2/catch.hpp>

#include <memory>

#include "storage/rocks/rocks_options.h"
#include "storage/rocks/store_file_system.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace acta {
namespace {

// The first sync of a WAL file that refused a write is an assertion of RocksDB's.
TEST_CASE("after a failed write the store refuses what would touch its WAL, and stays readable") {
  const TempDir folder;
  RocksSettings settings;
  settings.path = folder.File("rocks");
  const auto disk = std::make_shared<FaultyDisk>();
  const auto files = std::make_shared<StoreFileSystem>(disk);
  auto store = RocksStore::Open(settings, files, [](const std::string&) {});
  REQUIRE_OK(store);
  WriteGroup group(GroupNumber(1), Incarnation(1));
  group.Put((*store)->state(), "key", "there");
  REQUIRE_OK((*store)->Write(group));

  disk->Fail(FaultyDisk::Fault::kWrite, 1);
  group.Restart(GroupNumber(2), Incarnation(1));
  group.Put((*store)->state(), "key", "lost");
  REQUIRE_FALSE((*store)->Write(group).ok());
  (*store)->Leak();
  CHECK_FALSE((*store)->SyncWal().ok());
  CHECK_FALSE((*store)->Flush((*store)->state()).ok());
  CHECK_FALSE((*store)->CreateSlices({"log.1"}).ok());
  CHECK_FALSE((*store)->Write(group).ok());
  const auto read = (*store)->Get((*store)->state(), "key");
  REQUIRE_OK(read);
  CHECK(*read == "there");
}

}  // namespace
}  // namespace acta
