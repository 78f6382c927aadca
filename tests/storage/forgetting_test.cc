#include <catch2/catch.hpp>

#include "acta/storage/v1/records.pb.h"
#include "proto/support/error.h"
#include "storage/layout/engine_rows.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

Append Numbered(uint64_t producer, uint32_t sequence) {
  Append append = MakeAppend(TestStore::Partition(), {EventElement("x")});
  append.producer_id = producer;
  append.producer_epoch = 1;
  append.first_sequence = sequence;
  return append;
}

AppendResult PublishNumbered(TestStore& store, uint64_t producer, uint32_t sequence) {
  return Commit(store.engine(), Numbered(producer, sequence)).appends.at(0);
}

storage::v1::ProducerSnapshot SavedRow(TestStore& store) {
  const auto rows = store.engine().LoadRows(Family::kState, ProducerRow(TestStore::Partition()));
  REQUIRE_OK(rows);
  REQUIRE(rows->size() == 1);
  storage::v1::ProducerSnapshot snapshot;
  REQUIRE(snapshot.ParseFromString(rows->at(0).second));
  return snapshot;
}

TEST_CASE("a producer silent for more than a week is forgotten where others publish") {
  TestStore store;
  REQUIRE_OK(PublishNumbered(store, 1, 0).status);
  store.clock().Advance(absl::Hours(8 * 24));
  REQUIRE_OK(PublishNumbered(store, 2, 0).status);
  store.clock().Advance(absl::Seconds(61));
  REQUIRE_OK(PublishNumbered(store, 2, 1).status);
  const bool crash = GENERATE(false, true);
  if (crash) store.Crash();
  const storage::v1::ProducerSnapshot saved = SavedRow(store);
  REQUIRE(saved.producers_size() == 1);
  CHECK(saved.producers(0).producer_id() == 2);
  CHECK(PublishNumbered(store, 1, 700).count == 1);
  CHECK(ReasonOf(PublishNumbered(store, 2, 700).status) == v1::OUT_OF_SEQUENCE);
}

TEST_CASE("a start forgets the producers that are silent for more than a week by then") {
  TestStore store;
  REQUIRE_OK(PublishNumbered(store, 1, 0).status);
  store.clock().Advance(absl::Hours(6 * 24));
  REQUIRE_OK(PublishNumbered(store, 2, 0).status);
  const bool crash = GENERATE(false, true);
  if (!crash) store.Close();
  store.clock().Advance(absl::Hours(2 * 24));
  if (crash) {
    store.Crash();
  } else {
    REQUIRE_OK(store.Open());
  }
  CHECK(PublishNumbered(store, 1, 700).count == 1);
  CHECK(ReasonOf(PublishNumbered(store, 2, 700).status) == v1::OUT_OF_SEQUENCE);
}

TEST_CASE("a long row of producers is written again once as much came as it is long") {
  TestStore store;
  Transaction many;
  for (uint64_t producer = 1; producer <= 1000; ++producer) {
    many.appends.push_back(Numbered(producer, 0));
  }
  REQUIRE_OK(Commit(store.engine(), std::move(many)).status);
  const auto publish = [&store](size_t bytes) {
    store.clock().Advance(absl::Seconds(61));
    Append append = MakeAppend(TestStore::Partition(), {EventElement(std::string(bytes, 'x'))});
    REQUIRE_OK(Commit(store.engine(), std::move(append)).status);
  };
  const auto told = [&store] { return SavedRow(store).as_of_offset(); };
  publish(1);
  const size_t row = SavedRow(store).ByteSizeLong();
  CHECK(told() == 1001);
  publish(1);
  publish(1);
  CHECK(told() == 1001);
  publish(row);
  CHECK(told() == 1004);
  publish(1);
  CHECK(told() == 1004);
  if (GENERATE(false, true)) {
    store.Crash();
    CHECK(told() == 1004);
  } else {
    store.Reopen();
    CHECK(told() == 1005);
  }
  CHECK(ReasonOf(PublishNumbered(store, 500, 7).status) == v1::OUT_OF_SEQUENCE);
  CHECK_OK(PublishNumbered(store, 500, 1).status);
}

}  // namespace
}  // namespace acta
