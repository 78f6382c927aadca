#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include "acta/storage/v1/records.pb.h"
#include "proto/support/error.h"
#include "storage/layout/engine_rows.h"
#include "storage/state/id_window.h"
#include "tests/support/status_matchers.h"
#include "tests/support/table_damage.h"
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

TEST_CASE("a row of producers that tells of more than there is, as after a loss, is not believed") {
  TestStore store;
  REQUIRE_OK(PublishNumbered(store, 1, 0).status);
  storage::v1::ProducerSnapshot of_more;
  of_more.set_as_of_offset(3);
  Transaction late;
  late.rows = {{Family::kState, ProducerRow(TestStore::Partition()), of_more.SerializeAsString()}};
  REQUIRE_OK(Commit(store.engine(), std::move(late)).status);
  store.Crash();
  CHECK(PublishNumbered(store, 1, 0).duplicates.size() == 1);
  // Nor is it later, when there is as much.
  for (uint32_t sequence = 1; sequence < 5; ++sequence) {
    REQUIRE_OK(PublishNumbered(store, 1, sequence).status);
  }
  store.Crash();
  CHECK(PublishNumbered(store, 1, 4).duplicates.size() == 1);
  CHECK(PublishNumbered(store, 1, 1).duplicates.size() == 1);
}

TEST_CASE("duplicates alone do not have the row of producers written again in its time") {
  TestStore store;
  Append append = MakeAppend(TestStore::Partition(), {EventElement("x", "a")});
  append.ids.push_back({0, store.engine().HashEventId("", "a")});
  REQUIRE_OK(Commit(store.engine(), append).appends.at(0).status);
  store.clock().Advance(absl::Seconds(61));
  REQUIRE_OK(PublishNumbered(store, 1, 0).status);
  REQUIRE(SavedRow(store).as_of_offset() == 2);
  const bool numbered = GENERATE(false, true);
  if (numbered) {
    append.producer_id = append.producer_epoch = 1;
    append.first_sequence = 1;
  }
  REQUIRE(Commit(store.engine(), append).appends.at(0).duplicates.size() == 1);
  CHECK(SavedRow(store).producers(0).batches_size() == (numbered ? 2 : 1));
  // Who writes it again takes this away.
  storage::v1::ProducerSnapshot seen;
  seen.set_as_of_offset(77);
  Transaction mark;
  mark.rows = {{Family::kState, ProducerRow(TestStore::Partition()), seen.SerializeAsString()}};
  REQUIRE_OK(Commit(store.engine(), std::move(mark)).status);
  store.clock().Advance(absl::Seconds(61));
  Append other = MakeAppend(TestStore::Partition(1), {EventElement("x")});
  REQUIRE_OK(Commit(store.engine(), std::move(other)).status);
  CHECK(SavedRow(store).as_of_offset() == 77);
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

constexpr TopicId kOtherTopic{2};

// True: it is known.
bool PublishId(TestStore& store, PartitionId partition, int number,
               const std::string& data = "data") {
  const std::string id = "id" + std::to_string(number);
  Append append = MakeAppend(partition, {EventElement(data, id)});
  append.ids = {{0, store.engine().HashEventId("", id)}};
  const TransactionResult result = Commit(store.engine(), std::move(append));
  REQUIRE_OK(result.status);
  REQUIRE_OK(result.appends.at(0).status);
  return result.appends.at(0).count == 0;
}
bool PublishId(TestStore& store, TopicId topic, int number) {
  return PublishId(store, PartitionId(topic, 0), number);
}

void CheckWindow(TestStore& store, absl::Duration window) {
  const auto extent = store.engine().Extent(TestStore::Partition());
  REQUIRE_OK(extent);
  CHECK(extent->effective_dedupe_window == window);
}

// The engine keeps only events of topics that have a record.
void OpenOtherTopic(TestStore& store) {
  storage::v1::TopicRecord record;
  record.set_topic_id(kOtherTopic.value());
  record.mutable_topic()->set_partitions(1);
  Transaction transaction;
  transaction.rows.push_back(
      {Family::kMeta, std::string(kTopicRows) + "default/other", record.SerializeAsString()});
  REQUIRE_OK(Commit(store.engine(), std::move(transaction)).status);
  REQUIRE_OK(store.engine().OpenTopic(kOtherTopic, 1, {}));
}

TEST_CASE("rows that a deletion left which a crash cut short are gone after the next start") {
  TestStore store;
  const auto rows = [&store](Family family, const std::string& prefix) {
    return *store.engine().LoadRows(family, prefix);
  };
  const PartitionId other(kOtherTopic, 0);
  OpenOtherTopic(store);
  REQUIRE_OK(Commit(store.engine(), MakeAppend(other, {EventElement("x")})).status);
  store.Reopen();
  REQUIRE(rows(Family::kState, ProducerRow(other)).size() == 1);
  REQUIRE(rows(Family::kMeta, PartitionRow(other)).empty());  // Retention took nothing of it.
  storage::v1::SliceRecord dropped;
  dropped.set_slice_id(999);
  Transaction cut_short;
  cut_short.rows = {{Family::kMeta, std::string(kTopicRows) + "default/other", std::nullopt},
                    {Family::kMeta, SliceRow(999), dropped.SerializeAsString()}};
  REQUIRE_OK(Commit(store.engine(), std::move(cut_short)).status);
  store.Crash();
  CHECK(rows(Family::kState, ProducerRow(other)).empty());
  CHECK(rows(Family::kMeta, SliceRow(999)).empty());
}

TEST_CASE("a start shares the memory for ids among the topics, whichever is opened first") {
  LocalEngineOptions options;
  options.dedupe_bytes = 8 * IdWindow::kBytesPerId;
  TestStore store(options);
  OpenOtherTopic(store);
  const int other = GENERATE(8, 2);  // Of the other topic.
  for (int i = 0; i < 8; ++i) {
    CHECK_FALSE(PublishId(store, TestStore::kTopic, i));
    if (i < other) CHECK_FALSE(PublishId(store, kOtherTopic, i));
    store.clock().Advance(absl::Seconds(1));
  }
  store.Reopen();
  CHECK(store.engine().Stats().dedupe_ids == 8);
  OpenOtherTopic(store);
  CHECK(store.engine().Stats().dedupe_ids == 8);
  CHECK(PublishId(store, TestStore::kTopic, 7));
  CHECK(PublishId(store, kOtherTopic, other - 1));
  // The smaller one has all that it wants, the other one the rest.
  const int most = std::min(other, 4);
  CHECK(PublishId(store, kOtherTopic, other - most));
  CHECK(PublishId(store, TestStore::kTopic, most));
  CHECK_FALSE(PublishId(store, TestStore::kTopic, most - 1));
}

TEST_CASE("ids whose window has ended go before those of topics that need theirs") {
  LocalEngineOptions options;
  options.dedupe_bytes = 100 * IdWindow::kBytesPerId;
  TestStore store(options);
  OpenOtherTopic(store);
  for (int i = 0; i < 90; ++i) PublishId(store, kOtherTopic, i);
  TopicSettings settings;
  settings.dedupe = GENERATE(Dedupe::kIds, Dedupe::kSequences);  // It needs none any more.
  REQUIRE_OK(store.engine().OpenTopic(kOtherTopic, 1, settings));
  store.clock().Advance(absl::Minutes(11));
  for (int i = 0; i < 60; ++i) PublishId(store, TestStore::kTopic, i);
  CHECK(store.engine().Stats().dedupe_ids == 60);
  CheckWindow(store, absl::Minutes(10));
  CHECK(PublishId(store, TestStore::kTopic, 0));
}

// Twenty ids in each of the first so many partitions, one a second, in one table, of which a block
// of 64 KiB has seven; a bit of it is flipped.
void PublishAndDamage(TestStore& store, int32_t partitions, int64_t bit_at) {
  store.options().write_buffer_bytes = store.options().memtable_bytes = 32 << 20;
  store.Reopen();
  for (int i = 0; i < 20; ++i) {
    for (int32_t partition = 0; partition < partitions; ++partition) {
      REQUIRE_FALSE(PublishId(store, TestStore::Partition(partition), i, std::string(10'000, 'x')));
    }
    store.clock().Advance(absl::Seconds(1));
  }
  store.Reopen();  // Recovery flushes what the log had.
  store.Close();
  FlipBit(LargestTable(store.path()), bit_at);
  REQUIRE_OK(store.Open());
}

TEST_CASE("the window says what a start forgets because of damage, or because it hides the time") {
  const bool hides = GENERATE(false, true);
  TestStore store;
  if (hides) store.options().dedupe_max_ids = 8;  // Two for each partition.
  // The first block is where the search begins, the second one is only read.
  PublishAndDamage(store, 1, (hides ? 32 : 96) << 10);
  const int known = hides ? 18 : 14;
  CheckWindow(store, absl::Seconds(20 - known));
  CHECK(PublishId(store, TestStore::kTopic, known));
  CHECK_FALSE(PublishId(store, TestStore::kTopic, known - 1));
}

TEST_CASE("the window says what damage hides also where a search by time is left with the rest") {
  TestStore store;
  // Two for each partition, and less than there are of one.
  store.options().dedupe_max_ids = 8;
  PublishAndDamage(store, 2, 32 << 10);  // Where the search in partition 0 begins.
  CheckWindow(store, absl::Seconds(2));
}

}  // namespace
}  // namespace acta
