#include <catch2/catch.hpp>

#include <algorithm>
#include <iterator>
#include <random>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "storage/layout/index_block.h"
#include "tests/storage/watched_reads.h"
#include "tests/support/status_matchers.h"
#include "tests/support/table_damage.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

using Place = WatchedReads::Place;

constexpr int kFilledPartitions = 4;
constexpr int64_t kEventsOfEach = 1000;
constexpr int64_t kFar[] = {1, 300, 500, 700};  // In different tables.

std::string ElementAt(int partition, int64_t offset) {
  return EventElement(absl::StrCat(partition, "/", offset, ":", std::string(1000, 'x')));
}

// A store with many tables, of which nothing is in memory but their indexes.
class ManyTables {
 public:
  ManyTables() {
    store_.options().file_system = disk_;
    store_.options().tail_cache_bytes = 1500;
    store_.Reopen();
    for (int64_t i = 0; i < kEventsOfEach; ++i) {
      for (int number = 0; number < kFilledPartitions; ++number) {
        const PartitionId partition = TestStore::Partition(number);
        const Append append = MakeAppend(partition, {ElementAt(number, i)});
        REQUIRE_OK(Commit(engine(), append, Level::kOs).status);
      }
    }
    store_.Reopen();
    REQUIRE(DatabaseFiles(store_.path(), ".sst").size() >= 20);
  }
  LogEngine& engine() { return store_.engine(); }
  TestStore& store() { return store_; }
  WatchedReads& disk() { return *disk_; }

  void ReadRight(int partition, int64_t offset) {
    const auto read = engine().Read(TestStore::Partition(partition), Offset(offset), 1);
    REQUIRE_OK(read);
    REQUIRE(read->size() == 1);
    CHECK(read->front()->base_offset == Offset(offset));
    CHECK(read->front()->payload.view() == ElementAt(partition, offset));
  }
  // Opens their tables.
  void ReadAllFar() {
    for (int partition = 0; partition < kFilledPartitions; ++partition) {
      for (const int64_t offset : kFar) ReadRight(partition, offset);
    }
    disk_->TakeCalls();
  }
  void BeginAllFar() {
    for (int partition = 0; partition < kFilledPartitions; ++partition) {
      for (const int64_t offset : kFar) {
        engine().BeginRead(TestStore::Partition(partition), Offset(offset));
      }
    }
  }
  // All that was begun, or all that was read; nothing else may have been.
  std::vector<Place> TakeOnly(bool begun) {
    std::vector<Place> places;
    for (const WatchedReads::Call& call : disk_->TakeCalls()) {
      CHECK(call.begun == begun);
      places.push_back(call.place);
    }
    return places;
  }

 private:
  const std::shared_ptr<WatchedReads> disk_ = std::make_shared<WatchedReads>();
  TestStore store_;
};

TEST_CASE("a begun read asks the disk for just what the read itself reads, and waits for nothing") {
  ManyTables tables;
  tables.ReadAllFar();
  tables.BeginAllFar();
  const std::vector<Place> begun = tables.TakeOnly(true);
  CHECK(begun.size() == kFilledPartitions * std::size(kFar));
  for (int partition = 0; partition < kFilledPartitions; ++partition) {
    for (const int64_t offset : kFar) tables.ReadRight(partition, offset);
  }
  CHECK(tables.TakeOnly(false) == begun);
}

TEST_CASE("nothing is begun of a table that would have to be opened first") {
  ManyTables tables;
  tables.disk().TakeCalls();
  tables.BeginAllFar();
  CHECK(tables.disk().TakeCalls().empty());
  tables.ReadAllFar();
}

TEST_CASE("what is begun and never read is nobody's") {
  ManyTables tables;
  tables.ReadAllFar();
  for (int i = 0; i < 100; ++i) tables.BeginAllFar();
  CHECK(tables.TakeOnly(true).size() == 100 * kFilledPartitions * std::size(kFar));
  tables.ReadRight(2, 100);  // Another one.
  tables.engine().DropTopic(TestStore::kTopic);
  tables.BeginAllFar();
  tables.store().Reopen();
  CHECK(tables.store().sink().causes().empty());
}

TEST_CASE("nothing is begun where nothing is: beyond the end, trimmed, of no topic") {
  ManyTables tables;
  tables.ReadAllFar();
  LogEngine& engine = tables.engine();
  const PartitionId partition = TestStore::Partition();
  for (const int64_t offset : {int64_t{-1}, kEventsOfEach, kEventsOfEach + 1, INT64_MAX - 1}) {
    engine.BeginRead(partition, Offset(offset));
  }
  engine.BeginRead(PartitionId(TopicId(9), 0), Offset(1));
  engine.BeginRead(TestStore::Partition(kFilledPartitions), Offset(1));
  CHECK(tables.disk().TakeCalls().empty());
  CHECK(ReasonOf(engine.Read(partition, Offset(kEventsOfEach + 1), 1).status()) ==
        v1::OFFSET_OUT_OF_RANGE);

  tables.store().clock().Advance(absl::Hours(1));
  tables.store().settings().retention = absl::Minutes(1);
  REQUIRE_OK(engine.OpenTopic(TestStore::kTopic, kFilledPartitions, tables.store().settings()));
  REQUIRE_OK(tables.store().engine().MaintainNow());
  REQUIRE(engine.Extent(partition)->first == Offset(kEventsOfEach));
  tables.disk().TakeCalls();
  tables.BeginAllFar();
  CHECK(tables.disk().TakeCalls().empty());
  CHECK(ReasonOf(engine.Read(partition, Offset(1), 1).status()) == v1::GAP);
}

TEST_CASE("what the disk does not begin is read, and what it does not read is told to who reads") {
  ManyTables tables;
  tables.ReadAllFar();
  tables.disk().FailBegun(true);
  tables.BeginAllFar();
  tables.disk().FailBegun(false);
  tables.ReadAllFar();

  const PartitionId partition = TestStore::Partition();
  tables.disk().FailReads(true);
  tables.BeginAllFar();
  CHECK(tables.TakeOnly(true).size() == kFilledPartitions * std::size(kFar));
  const absl::Status failing = tables.engine().Read(partition, Offset(300), 1).status();
  CHECK(ReasonOf(failing) == v1::DATA_CORRUPTED);
  CHECK(DetailsOf(failing).contains(kIoErrorDetail));
  CHECK(DetailsOf(failing).at("first_lost") == "300");
  CHECK(tables.store().sink().causes().empty());
  tables.disk().FailReads(false);
  tables.ReadAllFar();
}

TEST_CASE("damage of what was begun is told as it is without") {
  ManyTables tables;
  tables.ReadAllFar();
  const PartitionId partition = TestStore::Partition();
  tables.engine().BeginRead(partition, Offset(300));
  const std::vector<Place> block = tables.TakeOnly(true);
  REQUIRE(block.size() == 1);
  FlipBit(block[0].path, static_cast<int64_t>(block[0].offset + block[0].size / 2));
  const absl::Status before = tables.engine().Read(partition, Offset(300), 1).status();
  CHECK(ReasonOf(before) == v1::DATA_CORRUPTED);
  CHECK_FALSE(DetailsOf(before).contains(kIoErrorDetail));
  tables.engine().BeginRead(partition, Offset(300));
  const absl::Status after = tables.engine().Read(partition, Offset(300), 1).status();
  CHECK(ReasonOf(after) == v1::DATA_CORRUPTED);
  CHECK(DetailsOf(after) == DetailsOf(before));
  tables.ReadRight(0, 500);
}

// An index of several slices, each with one file of many blocks.
class ManySlices {
 public:
  static constexpr int kSlices = 5;

  ManySlices() {
    store_.options().file_system = disk_;
    store_.options().slice_age = absl::Minutes(1);
    store_.Reopen();
    std::mt19937_64 random(3);
    for (int i = 0; i < 5'000; ++i) hashes_.push_back(IndexedHash(random()));
    std::sort(hashes_.begin(), hashes_.end());
    for (int slice = 0; slice < kSlices; ++slice) {
      const Append append = MakeAppend(TestStore::Partition(), {EventElement("x")});
      REQUIRE_OK(Commit(engine(), append).status);
      std::vector<IndexEntry> entries;
      for (const uint64_t hash : hashes_) {
        entries.push_back({hash, TestStore::Partition(), Offset(slice)});
      }
      REQUIRE_OK(engine().AddToIndex(entries));
      store_.clock().Advance(absl::Minutes(2));
      REQUIRE_OK(store_.engine().MaintainNow());  // A new slice.
    }
    REQUIRE(engine().Stats().indexes == kSlices);
    REQUIRE_OK(Find({hashes_.front()}).status());  // Opens what has to be open.
    disk_->TakeCalls();
  }
  LogEngine& engine() { return store_.engine(); }
  WatchedReads& disk() { return *disk_; }
  TestStore& store() { return store_; }
  // Of a thousand in order; those that are 50 apart are in different blocks.
  uint64_t HashAt(size_t place) const { return hashes_[hashes_.size() * place / 1000]; }

  absl::StatusOr<std::vector<IndexPlace>> Find(std::vector<uint64_t> hashes) {
    IndexPlaces found({}, 1'000'000);
    const absl::Status status = engine().FindInIndex(std::move(hashes), &found);
    if (!status.ok()) return status;
    return found.Take();
  }
  void FindRight(std::vector<uint64_t> hashes) {
    const auto found = Find(std::move(hashes));
    REQUIRE_OK(found.status());
    std::vector<IndexPlace> expected;
    for (int slice = 0; slice < kSlices; ++slice) {
      expected.push_back({TestStore::Partition(), Offset(slice)});
    }
    CHECK(*found == expected);
  }

 private:
  const std::shared_ptr<WatchedReads> disk_ = std::make_shared<WatchedReads>();
  TestStore store_;
  std::vector<uint64_t> hashes_;
};

TEST_CASE("rows of the index are begun in all slices before the first of them is read") {
  ManySlices slices;
  for (const std::vector<size_t>& places : {std::vector<size_t>{300}, {450, 600, 750}}) {
    std::vector<uint64_t> hashes;
    for (const size_t place : places) hashes.push_back(slices.HashAt(place));
    slices.FindRight(hashes);
    std::vector<Place> begun, read;
    for (const WatchedReads::Call& call : slices.disk().TakeCalls()) {
      if (!call.begun) read.push_back(call.place);
      if (call.begun && read.empty()) begun.push_back(call.place);
    }
    CHECK(read.size() == places.size() * ManySlices::kSlices);
    for (const Place& place : read) {
      INFO(place.path << " at " << place.offset);
      CHECK(std::find(begun.begin(), begun.end(), place) != begun.end());
    }
  }
}

TEST_CASE("rows of the index that the disk does not give are told to who asks, begun or not") {
  ManySlices slices;
  slices.disk().FailReads(true);
  const auto failing = slices.Find({slices.HashAt(500)});
  CHECK_FALSE(failing.ok());
  CHECK(absl::StrContains(failing.status().message(), "injected: read"));
  slices.disk().FailReads(false);
  CHECK(slices.store().sink().causes().empty());
  slices.disk().FailBegun(true);
  slices.FindRight({slices.HashAt(500)});
}

TEST_CASE("of a question of many rows no slice is begun before its turn") {
  ManySlices slices;
  std::vector<uint64_t> hashes;
  for (size_t place = 0; place < 1000; place += 5) hashes.push_back(slices.HashAt(place));
  slices.FindRight(hashes);
  std::set<std::string> read;
  std::set<std::string> begun;
  for (const WatchedReads::Call& call : slices.disk().TakeCalls()) {
    (call.begun ? begun : read).insert(call.place.path);
    CHECK(begun.size() <= read.size() + 1);
  }
  CHECK(read.size() == ManySlices::kSlices);
}

}  // namespace
}  // namespace acta
