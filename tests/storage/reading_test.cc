#include <catch2/catch.hpp>

#include "proto/support/error.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/status_matchers.h"
#include "tests/support/table_damage.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

// `batches` batches of 3 events, a second apart.
void FillBatches(TestStore& store, int batches) {
  for (int i = 0; i < batches; ++i) {
    std::vector<std::string> elements;
    for (int k = 0; k < 3; ++k) elements.push_back(EventElement(std::to_string(3 * i + k)));
    REQUIRE_OK(Commit(store.engine(), MakeAppend(TestStore::Partition(), elements)).status);
    store.clock().Advance(absl::Seconds(1));
  }
}

TEST_CASE("a read from the middle of a batch answers the whole batch that holds it") {
  TestStore store;
  FillBatches(store, 4);
  const auto cached = store.engine().ReadCached(TestStore::Partition(), Offset(4), 1 << 20);
  REQUIRE_OK(cached);
  REQUIRE(cached->has_value());
  REQUIRE((*cached)->size() == 3);
  CHECK((*cached)->at(0)->base_offset == Offset(3));
  const auto cold = store.engine().Read(TestStore::Partition(), Offset(4), 1 << 20);
  REQUIRE_OK(cold);
  REQUIRE(cold->size() == 3);
  CHECK(cold->at(0)->base_offset == Offset(3));
  CHECK(cold->at(0)->payload.view() == (*cached)->at(0)->payload.view());
  CHECK(store.engine().Read(TestStore::Partition(), Offset(0), 1)->size() == 1);
}

TEST_CASE("caught up is empty, beyond the end is an error") {
  TestStore store;
  FillBatches(store, 1);
  CHECK(store.engine().ReadCached(TestStore::Partition(), Offset(3), 100)->value().empty());
  CHECK(store.engine().Read(TestStore::Partition(), Offset(3), 100)->empty());
  CHECK(ReasonOf(store.engine().Read(TestStore::Partition(), Offset(4), 100).status()) ==
        v1::OFFSET_OUT_OF_RANGE);
  CHECK(ReasonOf(store.engine().Read(TestStore::Partition(), Offset(-1), 100).status()) ==
        v1::OFFSET_OUT_OF_RANGE);
}

TEST_CASE("a small cache keeps the newest; the rest comes from the disk") {
  LocalEngineOptions options;
  options.tail_cache_bytes = 1500;
  TestStore store(options);
  FillBatches(store, 50);
  CHECK(store.engine().Stats().tail_cache_bytes <= 1500);
  CHECK(store.engine().Stats().tail_cache_limit_bytes == 1500);
  CHECK_FALSE(store.engine().ReadCached(TestStore::Partition(), Offset(0), 100)->has_value());
  CHECK(store.engine().ReadCached(TestStore::Partition(), Offset(149), 100)->has_value());
  const auto data = ReadData(store.engine(), TestStore::Partition());
  REQUIRE_OK(data);
  REQUIRE(data->size() == 150);
  for (int i = 0; i < 150; ++i) CHECK(data->at(i) == std::to_string(i));
}

TEST_CASE("a read costs the blocks of its own table, however many tables the slice has") {
  const auto disk = std::make_shared<FaultyDisk>();
  LocalEngineOptions options;
  options.file_system = disk;
  TestStore store(options);
  for (int i = 0; i < 4000; ++i) {
    const PartitionId partition = TestStore::Partition(i % 4);
    const auto result =
        Commit(store.engine(), MakeAppend(partition, {EventElement(std::string(1000, 'x'))}));
    REQUIRE_OK(result.status);
  }
  store.Reopen();
  REQUIRE(DatabaseFiles(store.path(), ".sst").size() >= 20);
  for (int32_t number = 0; number < 4; ++number) {
    const PartitionId partition = TestStore::Partition(number);
    REQUIRE_OK(store.engine().Read(partition, Offset(999), 1));  // Opens what has to be open.
    for (const int64_t offset : {1, 300, 500, 700}) {
      // The first opens the table.
      for (const int64_t most : {6, 1}) {
        const int64_t before = disk->count(FaultyDisk::Fault::kRead);
        REQUIRE_OK(store.engine().Read(partition, Offset(offset), 1));
        CHECK(disk->count(FaultyDisk::Fault::kRead) - before <= most);
      }
    }
  }
}

TEST_CASE("offsets are found by append time, across slices and a restart") {
  TestStore store;
  const int64_t start = absl::ToUnixMicros(store.engine().Now());
  FillBatches(store, 10);
  store.options().slice_age = absl::Seconds(1);
  store.Reopen();
  REQUIRE_OK(store.engine().MaintainNow());
  FillBatches(store, 10);
  CHECK(store.engine().Stats().slices == 2);
  const PartitionId partition = TestStore::Partition();
  for (int i = 0; i < 20; ++i) {
    INFO("second " << i);
    CHECK(*store.engine().FindOffset(partition, start + i * 1'000'000) == Offset(3 * i));
    CHECK(*store.engine().FindOffset(partition, start + i * 1'000'000 + 1) == Offset(3 * i + 3));
  }
  CHECK(*store.engine().FindOffset(partition, 0) == Offset(0));
  CHECK(*store.engine().FindOffset(partition, INT64_MAX) == Offset(60));
}

TEST_CASE("a time is found in a log of many slices without a look into each") {
  constexpr int kSlices = 24, kEach = 4;
  const auto disk = std::make_shared<FaultyDisk>();
  LocalEngineOptions options;
  options.file_system = disk;
  options.slice_age = absl::Seconds(1);
  TestStore store(options);
  const int64_t start = absl::ToUnixMicros(store.engine().Now());
  for (int i = 0; i < kSlices; ++i) {
    FillBatches(store, kEach);
    REQUIRE_OK(store.engine().MaintainNow());
  }
  REQUIRE(store.engine().Stats().slices >= kSlices);
  const PartitionId partition = TestStore::Partition();
  int64_t most = 0;
  for (int i = 0; i < kSlices * kEach; ++i) {
    INFO("second " << i);
    store.Reopen();
    const int64_t before = disk->count(FaultyDisk::Fault::kRead);
    CHECK(*store.engine().FindOffset(partition, start + i * 1'000'000) == Offset(3 * i));
    most = std::max<int64_t>(most, disk->count(FaultyDisk::Fault::kRead) - before);
  }
  CHECK(most <= 10);
}

TEST_CASE("a scrub ends although events come as fast as it reads") {
  TestStore store;
  const auto publish = [&store](int32_t partition) {
    const std::string data(5 << 19, 'x');  // Two of them are more than one read.
    const Append append = MakeAppend(TestStore::Partition(partition), {EventElement(data)});
    REQUIRE_OK(Commit(store.engine(), append).status);
  };
  for (const int32_t partition : {0, 0, 1}) publish(partition);
  std::string token;
  for (const int32_t partition : {0, 0, 1}) {
    const auto page = store.engine().Scrub({token, absl::ZeroDuration()});
    REQUIRE_OK(page);
    CHECK(page->batches == 1);
    token = page->next_token;
    publish(partition);
  }
  CHECK(token.empty());
}

TEST_CASE("bytes below an offset are exact inside a batch") {
  TestStore store;
  FillBatches(store, 2);
  const uint64_t all = store.engine().Extent(TestStore::Partition())->visible_end_bytes;
  CHECK(store.engine().Locate(TestStore::Partition(), Offset(0))->bytes_below == 0);
  CHECK(store.engine().Locate(TestStore::Partition(), Offset(6))->bytes_below == all);
  CHECK(store.engine().Locate(TestStore::Partition(), Offset(4))->bytes_below == all / 6 * 4);
  CHECK(store.engine().Locate(TestStore::Partition(), Offset(6))->append_time_us == 0);
}

}  // namespace
}  // namespace acta
