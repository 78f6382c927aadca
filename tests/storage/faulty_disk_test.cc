#include "tests/support/faulty_disk.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

#include "proto/support/error.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

TEST_CASE("a failed sync is never acknowledged and ends the engine") {
  const auto disk = std::make_shared<FaultyDisk>();
  LocalEngineOptions options;
  options.file_system = disk;
  options.witness_interval = absl::Hours(1);
  TestStore store(options);
  REQUIRE_OK(
      Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("ok")})).status);
  disk->FailSync(1);
  const auto doubt =
      Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("doubt")}));
  CHECK(ReasonOf(doubt.status) == v1::OUTCOME_UNKNOWN);
  CHECK(store.sink().causes().size() == 1);
  const auto later =
      Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("later")}));
  CHECK(ReasonOf(later.status) == v1::OUTCOME_UNKNOWN);
}

TEST_CASE("a failed write is never acknowledged and ends the engine") {
  const auto disk = std::make_shared<FaultyDisk>();
  LocalEngineOptions options;
  options.file_system = disk;
  options.witness_interval = absl::Hours(1);
  TestStore store(options);
  REQUIRE_OK(
      Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("ok")})).status);
  disk->FailWrite(1);
  const auto level = GENERATE(Level::kOs, Level::kFsync);
  const auto doubt =
      Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("doubt")}), level);
  CHECK(ReasonOf(doubt.status) == v1::OUTCOME_UNKNOWN);
  CHECK_FALSE(store.sink().causes().empty());
}

// A closed store with 100 events that a start has to write into table files.
void FillAndClose(TestStore& store) {
  for (int i = 0; i < 100; ++i) {
    REQUIRE_OK(
        Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("kept")})).status);
  }
  store.Close();
}

TEST_CASE("a start on a full disk takes the room of the ballast") {
  const auto disk = std::make_shared<FaultyDisk>();
  LocalEngineOptions options;
  options.file_system = disk;
  TestStore store(options);
  FillAndClose(store);
  store.options().ballast_bytes = 1 << 20;
  store.Reopen();
  const std::string ballast = store.path() + "/ballast";
  CHECK(std::filesystem::file_size(ballast) == 1 << 20);
  store.Close();
  store.options().ballast_bytes = 0;  // Not made again: it can be seen to be gone.
  disk->FullWhile(ballast);
  REQUIRE_OK(store.Open());
  CHECK_FALSE(std::filesystem::exists(ballast));
  CHECK(ReadData(store.engine(), TestStore::Partition())->size() == 100);
  CHECK(store.sink().causes().empty());
}

TEST_CASE("a start on a full disk without a ballast is refused, and loses nothing") {
  const auto disk = std::make_shared<FaultyDisk>();
  LocalEngineOptions options;
  options.file_system = disk;
  TestStore store(options);
  FillAndClose(store);
  const std::string other = store.path() + "/other";
  std::ofstream(other) << "somebody else's bytes";
  disk->FullWhile(other);
  const absl::Status refused = store.Open();
  CHECK(ReasonOf(refused) == v1::DATA_LOST);
  CHECK(std::string(refused.message()).find("no space") != std::string::npos);
  CHECK(store.sink().causes().empty());
  std::filesystem::remove(other);
  REQUIRE_OK(store.Open());
  CHECK(ReadData(store.engine(), TestStore::Partition())->size() == 100);
}

}  // namespace
}  // namespace acta
