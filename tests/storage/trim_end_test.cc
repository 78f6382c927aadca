#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <thread>
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

TEST_CASE("maintenance ends although sequences to be saved come as fast as they are") {
  LocalEngineOptions options;
  options.snapshot_bytes = 1;        // Of all partitions they are due with every publish,
  options.snapshot_group_bytes = 1;  // and a group takes those of one.
  TestStore store(options);
  constexpr TopicId kWide{2};
  constexpr int32_t kPartitions = 100;
  constexpr int kMostPublishes = 1000;
  REQUIRE_OK(store.engine().OpenTopic(kWide, kPartitions, {}));
  const auto publish = [&store] {
    Transaction transaction;
    for (int32_t partition = 0; partition < kPartitions; ++partition) {
      transaction.appends.push_back(MakeAppend(PartitionId(kWide, partition), {EventElement("x")}));
    }
    return Commit(store.engine(), std::move(transaction)).status;
  };
  REQUIRE_OK(publish());
  std::atomic<bool> ended = false;
  int published = 0;
  std::thread publisher([&] {
    for (; !ended && published < kMostPublishes; ++published) (void)publish();
  });
  const absl::Status maintained = store.engine().MaintainNow();
  ended = true;
  publisher.join();
  CHECK_OK(maintained);
  CHECK(published < kMostPublishes);
}

}  // namespace
}  // namespace acta
