#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
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

}  // namespace
}  // namespace acta
