#include <catch2/catch.hpp>

#include <atomic>
#include <cstdint>
#include <thread>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "proto/support/error.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_store.h"
#include "tests/support/wait_until.h"

namespace acta {
namespace {

constexpr Watermark kNever{0, 0};
// No disk has so much free.
constexpr Watermark kAlways{100, INT64_MAX};

// A store with 10 events in each of 4 partitions, then opened again with these watermarks.
class FullDisk {
 public:
  explicit FullDisk(const DiskWatermarks& watermarks) {
    store_.settings().retention = absl::Seconds(100);
    store_.options().slice_age = absl::Seconds(50);
    store_.Reopen();
    for (int32_t i = 0; i < 40; ++i) {
      const Append append = MakeAppend(TestStore::Partition(i % 4), {EventElement("x")});
      REQUIRE_OK(Commit(store_.engine(), append).status);
    }
    store_.Close();
    LocalEngineOptions options = store_.options();
    options.watermarks = watermarks;
    auto engine = LocalLogEngine::Open(options, store_.sink(), store_.clock());
    REQUIRE_OK(engine);
    engine_ = *std::move(engine);
    REQUIRE_OK(engine_->OpenTopic(TestStore::kTopic, 4, store_.settings()));
  }

  LocalLogEngine& engine() { return *engine_; }
  FakeClock& clock() { return store_.clock(); }
  absl::Status Publish() {
    return Commit(engine(), MakeAppend(TestStore::Partition(), {EventElement("x")})).status;
  }
  absl::Status PutRow(Family family, const std::string& key) {
    Transaction transaction;
    transaction.rows.push_back({family, key, "value"});
    return Commit(engine(), std::move(transaction)).status;
  }
  absl::Status DeleteRow(Family family, const std::string& key) {
    Transaction transaction;
    transaction.rows.push_back({family, key, std::nullopt});
    return Commit(engine(), std::move(transaction)).status;
  }
  // Retention raises the first offsets; the closed slice goes, and its bytes with it.
  void CheckRetentionFreesDisk() {
    const int64_t before = engine().Stats().log_bytes;
    REQUIRE(before > 0);
    clock().Advance(absl::Hours(1));
    // The slice is closed by the first, dropped by the next.
    for (int i = 0; i < 2; ++i) REQUIRE_OK(engine().MaintainNow());
    CHECK(engine().Extent(TestStore::Partition())->first == Offset(10));
    CHECK(engine().Stats().log_bytes < before);
  }

 private:
  TestStore store_;
  std::unique_ptr<LocalLogEngine> engine_;
};

void CheckDiskFull(const absl::Status& status, const std::string& watermark) {
  CHECK(ReasonOf(status) == v1::DISK_FULL);
  CHECK(RetryAfterOf(status) > absl::ZeroDuration());
  INFO(status.message());
  CHECK(std::string(status.message()).find(watermark + " watermark") != std::string::npos);
  CHECK(DetailsOf(status)["limit"] == "storage.disk_" + watermark + "_bytes");
  CHECK(std::stoll(DetailsOf(status)["value"]) < std::stoll(DetailsOf(status)["limit_value"]));
}

TEST_CASE("below the soft watermark publishes are refused and everything else goes on") {
  FullDisk disk({kAlways, kAlways, kNever});
  CHECK(disk.engine().disk_state() == DiskState::kSoft);
  CheckDiskFull(disk.Publish(), "soft");
  Transaction both;
  both.appends = {MakeAppend(TestStore::Partition(), {EventElement("x")})};
  both.rows = {{Family::kState, "position", "1"}};
  CheckDiskFull(Commit(disk.engine(), std::move(both)).status, "soft");
  CHECK(disk.engine().LoadRows(Family::kState, "position")->empty());
  // Positions of groups, topics, deletions.
  CHECK_OK(disk.PutRow(Family::kState, "position"));
  CHECK_OK(disk.PutRow(Family::kMeta, "another-topic"));
  CHECK_OK(disk.DeleteRow(Family::kState, "position"));
  CHECK(disk.engine().LoadRows(Family::kState, "position")->empty());
  CHECK_OK(disk.engine().OpenTopic(TopicId(2), 1, {}));
  CHECK(ReadData(disk.engine(), TestStore::Partition())->size() == 10);
  disk.CheckRetentionFreesDisk();
  disk.engine().DropTopic(TestStore::kTopic);
  CHECK(ReasonOf(disk.engine().Extent(TestStore::Partition()).status()) == v1::PARTITION_NOT_FOUND);
}

TEST_CASE("below the hard watermark only what frees disk is written") {
  FullDisk disk({kAlways, kAlways, kAlways});
  CHECK(disk.engine().disk_state() == DiskState::kHard);
  CheckDiskFull(disk.Publish(), "hard");
  CheckDiskFull(disk.PutRow(Family::kState, "position"), "hard");
  CheckDiskFull(disk.PutRow(Family::kMeta, "another-topic"), "hard");
  CheckDiskFull(disk.DeleteRow(Family::kState, "position"), "hard");
  CHECK(ReadData(disk.engine(), TestStore::Partition())->size() == 10);
  disk.CheckRetentionFreesDisk();
  // The rows of the partitions go with their topic.
  REQUIRE(disk.engine().LoadRows(Family::kMeta, "partition/")->size() == 4);
  disk.engine().DropTopic(TestStore::kTopic);
  disk.engine().Stop();
  CHECK(disk.engine().LoadRows(Family::kMeta, "partition/")->empty());
}

TEST_CASE("the disk is looked at while retention waits") {
  static constexpr int64_t kTotal = int64_t{1} << 40;
  std::atomic<int64_t> free = kTotal;
  std::atomic<bool> waits = false;
  std::atomic<bool> goes_on = false;
  TestStore store;
  store.settings().retention = absl::Seconds(100);
  store.options().maintenance_interval = absl::Seconds(1);
  store.options().watermarks = DiskWatermarks();
  store.options().disk_space = [&free] { return std::pair(free.load(), kTotal); };
  store.options().before_trim = [&](PartitionId, Offset) {
    waits = true;
    (void)WaitUntil([&goes_on] { return goes_on.load(); });
    return absl::OkStatus();
  };
  store.Reopen();
  const auto publish = [&store] {
    const Append append = MakeAppend(TestStore::Partition(), {EventElement("x")});
    return Commit(store.engine(), append).status;
  };
  REQUIRE_OK(publish());
  store.clock().Advance(absl::Seconds(200));
  std::thread retention([&store] { (void)store.engine().MaintainNow(); });
  absl::Cleanup release = [&] {
    goes_on = true;
    retention.join();
    store.Close();
  };
  REQUIRE(WaitUntil([&waits] { return waits.load(); }));
  REQUIRE_OK(publish());
  free = 0;
  store.clock().Advance(absl::Seconds(1));
  REQUIRE(WaitUntil([&store] { return store.engine().disk_state() == DiskState::kHard; }));
  CHECK_FALSE(goes_on);
  CheckDiskFull(publish(), "hard");
}

}  // namespace
}  // namespace acta
