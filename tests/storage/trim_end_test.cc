#include <catch2/catch.hpp>

#include <algorithm>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

TEST_CASE("the end of a trim is told once of all partitions that it passed") {
  TestStore store;
  store.settings().retention = absl::Seconds(100);
  std::vector<std::vector<PartitionId>> told;
  store.options().before_trim = [](PartitionId, Offset) { return absl::OkStatus(); };
  store.options().after_trim = [&told](const std::vector<PartitionId>& partitions) {
    told.push_back(partitions);
  };
  store.Reopen();
  const absl::Cleanup stop = [&] { store.Close(); };
  for (const int32_t partition : {0, 1, 2}) {
    REQUIRE_OK(
        Commit(store.engine(), MakeAppend(TestStore::Partition(partition), {EventElement("x")}))
            .status);
  }
  store.clock().Advance(absl::Seconds(200));
  REQUIRE_OK(store.engine().MaintainNow());
  REQUIRE(told.size() == 1);
  std::sort(told[0].begin(), told[0].end());
  CHECK(told[0] == std::vector<PartitionId>{TestStore::Partition(0), TestStore::Partition(1),
                                            TestStore::Partition(2)});
  for (const PartitionId partition : told[0]) {
    CHECK(store.engine().Extent(partition)->first == Offset(1));
  }
}

}  // namespace
}  // namespace acta
