#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/synchronization/notification.h"
#include "proto/support/error.h"
#include "storage/layout/engine_rows.h"
#include "tests/crash/image_witness.h"
#include "tests/support/status_matchers.h"
#include "tests/support/table_damage.h"
#include "tests/support/test_store.h"
#include "tests/support/wait_until.h"

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

TEST_CASE("who is asked before a trim is told when it has ended") {
  TestStore store;
  store.settings().retention = absl::Seconds(100);
  std::atomic<int64_t> first = 0, going_below = 0, ended = 0;
  std::atomic<bool> may = false;
  store.options().before_trim = [&](PartitionId, Offset) {
    return may ? absl::OkStatus() : absl::UnavailableError("not yet");
  };
  store.options().after_trim = [&](const std::vector<PartitionId>& partitions) {
    const PartitionExtent extent = *store.engine().Extent(partitions.at(0));
    first = extent.first.value();
    going_below = extent.going_below.value();
    ++ended;
  };
  store.Reopen();
  const absl::Cleanup stop = [&] { store.Close(); };
  Fill(store, 30);
  REQUIRE_OK(store.engine().MaintainNow());
  CHECK(ended >= 1);
  CHECK(first == 0);
  CHECK(going_below == 0);
  ended = 0;
  may = true;
  REQUIRE_OK(store.engine().MaintainNow());
  CHECK(ended >= 1);
  CHECK(first == 20);
  CHECK(going_below == 20);
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

TEST_CASE("a row that retention writes while its topic is deleted is gone after the next start") {
  TestStore store;
  store.settings().retention = absl::Seconds(100);
  store.Reopen();
  Fill(store, 30);
  REQUIRE_OK(store.engine().MaintainNow());
  const auto rows = [&store](Family family, const std::string& prefix) {
    return *store.engine().LoadRows(family, prefix);
  };
  const RowList kept = rows(Family::kMeta, kPartitionRows);
  REQUIRE(kept.size() == 1);
  // As the one of a topic that is there, behind the deletion of another; its sequences, too.
  const PartitionId gone(TopicId(7), 0);
  Transaction late;
  late.rows = {{Family::kMeta, PartitionRow(gone), kept[0].second},
               {Family::kState, ProducerRow(gone), std::string("sequences")}};
  REQUIRE_OK(Commit(store.engine(), std::move(late)).status);
  REQUIRE(rows(Family::kMeta, kPartitionRows).size() == 2);
  GENERATE(false, true) ? store.Crash() : store.Reopen();
  CHECK(rows(Family::kMeta, kPartitionRows) == kept);
  CHECK(rows(Family::kState, ProducerRow(gone)).empty());
  CHECK(store.engine().Extent(TestStore::Partition())->first == Offset(20));
}

TEST_CASE("what is over by less than a hundredth leaves by the minute, not by the second") {
  const bool by_size = GENERATE(false, true);
  TestStore store;
  store.options().maintenance_interval = store.options().witness_interval = absl::Milliseconds(5);
  store.options().slice_interval = absl::Hours(1000);
  if (by_size) store.settings().retention_bytes = 20'000;
  if (!by_size) store.settings().retention = absl::Seconds(2995);
  store.Reopen();
  const auto first = [&] { return store.engine().Extent(TestStore::Partition())->first; };
  const absl::Cleanup stop = [&] { store.Close(); };
  if (by_size) {
    Fill(store, 10, 1'990);
    Fill(store, 1, 100);
  } else {
    Fill(store, 300);  // The oldest is over by 5 seconds.
  }
  // Another topic of which much is over tells that the second's pass has been.
  const TopicId other(7);
  TopicSettings settings;
  settings.retention = absl::Seconds(1);
  REQUIRE_OK(store.engine().OpenTopic(other, 1, settings));
  const PartitionId late(other, 0);
  const auto publish_late = [&] {
    const Offset end = store.engine().Extent(late)->end;
    REQUIRE_OK(Commit(store.engine(), MakeAppend(late, {EventElement("x")})).status);
    store.clock().Advance(absl::Seconds(2));
    REQUIRE(WaitUntil([&] { return store.engine().Extent(late)->first > end; }));
  };
  publish_late();
  publish_late();
  CHECK(first() == Offset(0));
  REQUIRE_OK(store.engine().MaintainNow());
  CHECK(first() > Offset(0));
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

std::set<std::string> Tables(const TestStore& store) {
  std::set<std::string> names;
  for (const auto& file : DatabaseFiles(store.path(), ".sst")) names.insert(file.filename());
  return names;
}

int64_t TableBytes(const TestStore& store) {
  int64_t bytes = 0;
  for (const auto& file : DatabaseFiles(store.path(), ".sst")) {
    std::error_code gone;  // Deleted meanwhile.
    const std::uintmax_t size = std::filesystem::file_size(file, gone);
    if (!gone) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

TEST_CASE("retention by size alone gives disk back, and a reader below it is told the gap") {
  LocalEngineOptions options;
  options.slice_bytes = 100'000;
  options.deletion_bytes_per_second = 0;  // At once.
  TestStore store(options);
  store.settings().retention = absl::Hours(24 * 365 * 100);
  store.settings().retention_bytes = 300'000;
  store.Reopen();
  std::set<std::string> early;
  for (int round = 0; round < 20; ++round) {
    Fill(store, 10, 20'000);
    REQUIRE_OK(store.engine().MaintainNow());
    if (round == 1) early = Tables(store);
    // What is kept, one slice it reaches into, one being written.
    CHECK(TableBytes(store) < 300'000 + 2 * 250'000);
  }
  const std::set<std::string> late = Tables(store);
  REQUIRE(early.size() > 3);
  for (const std::string& table : early) CHECK_FALSE(late.contains(table));
  CHECK(store.engine().Stats().slices <= 4);
  const PartitionExtent extent = *store.engine().Extent(TestStore::Partition());
  CHECK(extent.visible_end_bytes - extent.first_bytes <= 300'000);
  CHECK(extent.first > Offset(180));
  const auto gone = store.engine().Read(TestStore::Partition(), Offset(7), 100);
  CHECK(ReasonOf(gone.status()) == v1::GAP);
  CHECK(DetailsOf(gone.status()).at("first_lost") == "7");
  CHECK(DetailsOf(gone.status()).at("last_lost") == std::to_string(extent.first.value() - 1));
  CHECK(ReadData(store.engine(), TestStore::Partition(), extent.first)->size() ==
        static_cast<size_t>(Lag(extent.first, Offset(200))));
}

// Flips a bit in every block of every large table file; their names.
std::set<std::string> DamageTables(const TestStore& store) {
  std::set<std::string> damaged;
  for (const auto& file : DatabaseFiles(store.path(), ".sst")) {
    const auto size = static_cast<int64_t>(std::filesystem::file_size(file));
    if (size < 10'000) continue;
    for (int64_t at = 8000; at < size - 2000; at += 16'000) FlipBit(file, at);
    damaged.insert(file.filename());
  }
  return damaged;
}

// Ten batches, one every 10 s, in a closed slice whose blocks are damaged; five whole ones after
// it. The names of the damaged files.
std::set<std::string> FillHalfDamaged(TestStore& store) {
  store.options().slice_age = absl::Seconds(50);
  store.Reopen();
  Fill(store, 10, 20'000);
  REQUIRE_OK(store.engine().MaintainNow());
  std::set<std::string> damaged = DamageTables(store);
  REQUIRE_FALSE(damaged.empty());
  Fill(store, 5, 20'000);
  REQUIRE(ReasonOf(store.engine().Read(TestStore::Partition(), Offset(0), 1).status()) ==
          v1::DATA_CORRUPTED);
  return damaged;
}

TEST_CASE("damaged events expire too, by whole slices") {
  TestStore store;
  store.settings().retention = absl::Seconds(100);
  const std::set<std::string> damaged = FillHalfDamaged(store);
  const PartitionId partition = TestStore::Partition();
  store.clock().Advance(absl::Seconds(20));  // The newest damaged event is not too old.
  REQUIRE_OK(store.engine().MaintainNow());
  CHECK(store.engine().Extent(partition)->first == Offset(0));
  store.clock().Advance(absl::Seconds(30));  // It is, and so is the first event of the next slice.
  REQUIRE_OK(store.engine().MaintainNow());
  CHECK(store.engine().Extent(partition)->first == Offset(10));
  for (const std::string& table : Tables(store)) CHECK_FALSE(damaged.contains(table));
  CHECK(ReadData(store.engine(), partition, Offset(10))->size() == 5);
  store.clock().Advance(absl::Hours(1));
  REQUIRE_OK(store.engine().MaintainNow());
  CHECK(store.engine().Extent(partition)->first == Offset(15));
}

TEST_CASE("damaged events give way to retention by size, by whole slices") {
  TestStore store;
  store.settings().retention_bytes = 240'000;
  FillHalfDamaged(store);
  const PartitionId partition = TestStore::Partition();
  REQUIRE_OK(store.engine().MaintainNow());
  CHECK(store.engine().Extent(partition)->first == Offset(0));
  Fill(store, 7, 20'000);
  REQUIRE_OK(store.engine().MaintainNow());
  CHECK(store.engine().Extent(partition)->first == Offset(10));
}

TEST_CASE("a time in damaged events is found as the begin of its slice") {
  TestStore store;
  FillHalfDamaged(store);
  const PartitionId partition = TestStore::Partition();
  const int64_t begin_us = store.engine().Extent(partition)->first_time_us;
  const auto found = [&](int seconds) {
    return store.engine().FindOffset(partition, begin_us + int64_t{seconds} * 1'000'000);
  };
  CHECK(*found(55) == Offset(0));
  CHECK(*found(95) == Offset(10));
  CHECK(*found(1000) == Offset(15));
}

TEST_CASE("near the most slices the class with most doubles its time, at it none is added") {
  LocalEngineOptions options;
  options.slice_age = absl::Seconds(50);
  options.max_slices = 12;
  TestStore store(options);
  TopicSettings day;
  day.retention = absl::Hours(24);
  REQUIRE_OK(store.engine().OpenTopic(TopicId(2), 1, day));
  // Slices after 50 s with an event of the week's class, and of the day's too.
  const auto after_step = [&store](bool day_too) {
    for (const uint64_t topic : {1, 2}) {
      if (topic == 2 && !day_too) continue;
      const PartitionId partition(TopicId(topic), 0);
      REQUIRE_OK(Commit(store.engine(), MakeAppend(partition, {EventElement("x")})).status);
    }
    store.clock().Advance(absl::Seconds(50));
    REQUIRE_OK(store.engine().MaintainNow());
    return store.engine().Stats().slices;
  };
  CHECK(after_step(false) == 3);  // Far from the limit: one in each step.
  CHECK(after_step(false) == 4);
  CHECK(after_step(false) == 4);  // Near it: one in two.
  CHECK(after_step(false) == 5);
  CHECK(after_step(true) == 6);  // The class with few has its own time.
  CHECK(after_step(true) == 8);
  int32_t slices = 8;
  for (int i = 0; i < 20; ++i) {
    const int32_t before = std::exchange(slices, after_step(true));
    CHECK(slices >= before);
    CHECK(slices <= 12);
  }
  CHECK(slices == 12);
  CHECK(ReadData(store.engine(), TestStore::Partition())->size() == 26);
}

TEST_CASE("at the most slices none is added for its size either") {
  LocalEngineOptions options;
  options.slice_bytes = 10'000;
  options.max_slices = 8;
  TestStore store(options);
  for (int i = 0; i < 12; ++i) {
    Fill(store, 1, 20'000);
    REQUIRE_OK(store.engine().MaintainNow());
    CHECK(store.engine().Stats().slices == std::min(i + 2, 8));
  }
  CHECK(ReadData(store.engine(), TestStore::Partition())->size() == 12);
  // A class may always have two: what it holds must be able to leave the disk.
  TopicSettings day;
  day.retention = absl::Hours(24);
  REQUIRE_OK(store.engine().OpenTopic(TopicId(2), 1, day));
  for (const int32_t slices : {10, 10, 10}) {
    REQUIRE_OK(Commit(store.engine(), MakeAppend(PartitionId(TopicId(2), 0),
                                                 {EventElement(std::string(20'000, 'x'))}))
                   .status);
    REQUIRE_OK(store.engine().MaintainNow());
    CHECK(store.engine().Stats().slices == slices);
  }
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
  const auto page = store.engine().Scrub({"", absl::Seconds(100)});
  REQUIRE_OK(page);
  CHECK(page->batches == 25);
  CHECK(page->next_token.empty());
  CHECK(page->problems.empty());
  for (int32_t p = 1; p < 4; ++p) {
    REQUIRE_OK(
        Commit(store.engine(), MakeAppend(TestStore::Partition(p), {EventElement("x")})).status);
  }
  // However short a page is, it gets on, and the next one goes on where it ended.
  std::string token;
  for (int32_t p = 0; p < 4; ++p) {
    CHECK(store.engine().Scrub({token, absl::Seconds(100)})->batches == (p == 0 ? 28 : 4 - p));
    const auto stopped = store.engine().Scrub({token, absl::Seconds(100), [] { return false; }});
    const auto least = store.engine().Scrub({token, absl::ZeroDuration()});
    REQUIRE_OK(least);
    CHECK(least->batches == (p == 0 ? 25 : 1));
    token = least->next_token;
    CHECK(stopped->next_token == token);
    CHECK(token.empty() == (p == 3));
  }
  CHECK(ReasonOf(store.engine().Scrub({"nonsense", absl::Seconds(1)}).status()) ==
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

TEST_CASE("a retention that goes there and back with starts between keeps the order of slices") {
  TestStore store;
  for (const absl::Duration retention :
       {absl::Hours(24 * 7), absl::Hours(24), absl::Hours(24 * 7)}) {
    store.settings().retention = retention;
    store.Reopen();
    Fill(store, 10);
  }
  store.Reopen();
  CHECK(store.engine().Extent(TestStore::Partition())->end == Offset(30));
  CHECK(ReadData(store.engine(), TestStore::Partition())->size() == 30);
}

TEST_CASE("a slice that stays for another partition changes no extent of one that left it") {
  TestStore store;
  store.options().slice_age = absl::Seconds(1);
  store.settings().retention_bytes = 15'000;
  store.Reopen();
  const auto put = [&store](int32_t partition, size_t bytes) {
    Append append =
        MakeAppend(TestStore::Partition(partition), {EventElement(std::string(bytes, 'x'))});
    REQUIRE_OK(Commit(store.engine(), std::move(append)).status);
    store.clock().Advance(absl::Seconds(10));
  };
  put(1, 10'000);
  put(0, 20'000);
  REQUIRE_OK(store.engine().MaintainNow());
  put(0, 20'000);
  REQUIRE_OK(store.engine().MaintainNow());
  REQUIRE_OK(store.engine().MaintainNow());
  if (GENERATE(false, true)) put(0, 100);
  const PartitionExtent before = *store.engine().Extent(TestStore::Partition());
  REQUIRE(before.first == Offset(2));
  store.Reopen();
  REQUIRE_OK(store.engine().MaintainNow());
  const PartitionExtent after = *store.engine().Extent(TestStore::Partition());
  CHECK(after.first == before.first);
  CHECK(after.end == before.end);
  CHECK(after.first_bytes == before.first_bytes);
  CHECK(after.visible_end_bytes == before.visible_end_bytes);
  CHECK(after.first_time_us == before.first_time_us);
  CHECK(before.trimmed_before_us > 0);
  CHECK(after.trimmed_before_us == before.trimmed_before_us);
  if (after.first < after.end) CHECK(after.last_time_us == before.last_time_us);
}

TEST_CASE("the witness follows the log while retention waits") {
  absl::Notification waits, followed;
  TestStore store;
  store.options().witness_interval = absl::Milliseconds(5);
  store.options().before_trim = [&](PartitionId, Offset) {
    if (!waits.HasBeenNotified()) waits.Notify();
    followed.WaitForNotificationWithTimeout(absl::Seconds(20));
    return absl::OkStatus();
  };
  store.settings().retention = absl::Seconds(100);
  store.Reopen();
  Fill(store, 30);
  absl::Status kept;
  std::thread keeper([&] { kept = store.engine().MaintainNow(); });
  waits.WaitForNotification();
  Fill(store, 1);
  const GroupNumber synced = store.engine().Stats().synced_group;
  CHECK(WaitUntil([&] { return ReadWitness(store.path()).synced_group >= synced; },
                  absl::Seconds(10)));
  followed.Notify();
  keeper.join();
  CHECK_OK(kept);
  store.Close();  // It asks what is here.
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
