#include <catch2/catch.hpp>

#include <filesystem>

#include "proto/support/error.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

void Fill(TestStore& store, int batches, size_t bytes = 100) {
  for (int i = 0; i < batches; ++i) {
    REQUIRE_OK(Commit(store.engine(),
                      MakeAppend(TestStore::Partition(), {EventElement(std::string(bytes, 'x'))}))
                   .status);
    store.clock().Advance(absl::Seconds(10));
  }
}

TEST_CASE("retention by time moves the first offset and tells readers what is gone") {
  TestStore store;
  store.settings().retention = absl::Seconds(100);
  store.Reopen();
  Fill(store, 30);
  REQUIRE_OK(store.engine().MaintainNow());
  const PartitionExtent extent = *store.engine().Extent(TestStore::Partition());
  CHECK(extent.first == Offset(20));
  const auto gone = store.engine().Read(TestStore::Partition(), Offset(5), 100);
  CHECK(ReasonOf(gone.status()) == v1::GAP);
  CHECK(DetailsOf(gone.status()).at("first_lost") == "5");
  CHECK(DetailsOf(gone.status()).at("last_lost") == "19");
  CHECK(ReadData(store.engine(), TestStore::Partition(), Offset(20))->size() == 10);
  store.Reopen();
  CHECK(store.engine().Extent(TestStore::Partition())->first == Offset(20));
}

TEST_CASE("retention by size keeps at most the bytes allowed") {
  TestStore store;
  store.settings().retention_bytes = 1000;
  store.Reopen();
  Fill(store, 30);
  REQUIRE_OK(store.engine().MaintainNow());
  const PartitionExtent extent = *store.engine().Extent(TestStore::Partition());
  CHECK(extent.visible_end_bytes - extent.first_bytes <= 1000);
  CHECK(extent.visible_end_bytes - extent.first_bytes > 800);
  CHECK(extent.first > Offset(0));
}

TEST_CASE("a slice below every first offset leaves the disk") {
  TestStore store;
  store.settings().retention = absl::Seconds(100);
  store.options().slice_age = absl::Seconds(50);
  store.Reopen();
  for (int round = 0; round < 10; ++round) {
    Fill(store, 10, 20'000);
    REQUIRE_OK(store.engine().MaintainNow());
  }
  CHECK(store.engine().Stats().slices <= 4);
  CHECK(store.engine().Extent(TestStore::Partition())->first >= Offset(85));
  CHECK(ReadData(store.engine(), TestStore::Partition(),
                 store.engine().Extent(TestStore::Partition())->first)
            ->size() == static_cast<size_t>(Lag(
                            store.engine().Extent(TestStore::Partition())->first, Offset(100))));
  store.Reopen();
  CHECK(store.engine().Extent(TestStore::Partition())->end == Offset(100));
  CHECK(store.engine().Stats().slices <= 4);
}

TEST_CASE("everything may expire: the offsets go on") {
  TestStore store;
  store.settings().retention = absl::Seconds(100);
  store.options().slice_age = absl::Seconds(1);
  store.Reopen();
  Fill(store, 5);
  store.clock().Advance(absl::Hours(1));
  REQUIRE_OK(store.engine().MaintainNow());
  REQUIRE_OK(store.engine().MaintainNow());
  store.Reopen();
  const PartitionExtent extent = *store.engine().Extent(TestStore::Partition());
  CHECK(extent.first == Offset(5));
  CHECK(extent.end == Offset(5));
  const auto next =
      Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("next")}));
  CHECK(next.appends.at(0).base_offset == Offset(5));
}

TEST_CASE("a scrub reads every batch, page by page") {
  TestStore store;
  Fill(store, 25);
  const auto page = store.engine().Scrub("", absl::Seconds(100));
  REQUIRE_OK(page);
  CHECK(page->batches == 25);
  CHECK(page->next_token.empty());
  CHECK(page->problems.empty());
  const auto none = store.engine().Scrub("", absl::ZeroDuration());
  REQUIRE_OK(none);
  CHECK_FALSE(none->next_token.empty());
  CHECK(store.engine().Scrub(none->next_token, absl::Seconds(100))->batches == 25);
  CHECK(ReasonOf(store.engine().Scrub("nonsense", absl::Seconds(1)).status()) ==
        v1::INVALID_ARGUMENT);
}

TEST_CASE("a topic whose retention goes there and back keeps its order of slices") {
  TestStore store;
  const auto open_for = [&store](absl::Duration retention) {
    store.settings().retention = retention;
    return store.engine().OpenTopic(TestStore::kTopic, 4, store.settings());
  };
  for (const absl::Duration retention :
       {absl::Hours(24 * 7), absl::Hours(24), absl::Hours(24 * 7)}) {
    REQUIRE_OK(open_for(retention));
    Fill(store, 10);
  }
  CHECK(store.engine().Extent(TestStore::Partition())->end == Offset(30));
  store.Reopen();
  CHECK(store.engine().Extent(TestStore::Partition())->end == Offset(30));
  CHECK(ReadData(store.engine(), TestStore::Partition())->size() == 30);
}

TEST_CASE("a store whose newest slice expired starts again") {
  TestStore store;
  store.settings().retention = absl::Seconds(100);
  store.options().slice_age = absl::Seconds(50);
  store.Reopen();
  Fill(store, 5);
  store.Reopen();  // The log file now begins behind what the slice holds.
  store.clock().Advance(absl::Hours(1));
  REQUIRE_OK(store.engine().MaintainNow());
  REQUIRE_OK(store.engine().MaintainNow());
  store.Reopen();
  CHECK(store.engine().Extent(TestStore::Partition())->first == Offset(5));
}

}  // namespace
}  // namespace acta
