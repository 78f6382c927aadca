#include "tests/support/faulty_disk.h"

#include <catch2/catch.hpp>

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

}  // namespace
}  // namespace acta
