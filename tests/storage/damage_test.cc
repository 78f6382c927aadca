#include <catch2/catch.hpp>

#include <atomic>
#include <climits>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include <rocksdb/sst_file_reader.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "acta/v1/event.pb.h"
#include "proto/support/error.h"
#include "proto/support/wire.h"
#include "storage/layout/engine_rows.h"
#include "tests/support/hooked_disk.h"
#include "tests/support/status_matchers.h"
#include "tests/support/table_damage.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBlockBytes = 64 << 10;
// More than the events of one block: each is a batch of at least 96 bytes with a key of 16.
constexpr int64_t kMostInBlock = kBlockBytes / 112 + 1;

// What a reader finds who goes on behind what cannot be read.
struct ReadAround {
  std::map<int64_t, std::string> data;  // By offset.
  std::vector<std::pair<int64_t, int64_t>> lost;
  int64_t lost_events() const {
    int64_t events = 0;
    for (const auto& [first, last] : lost) events += last - first + 1;
    return events;
  }
};

ReadAround ReadAroundDamage(const LogEngine& engine, PartitionId partition) {
  ReadAround found;
  const Offset end = engine.Extent(partition)->visible_end;
  for (Offset next; next < end;) {
    const auto batches = engine.Read(partition, next, 1 << 20);
    if (!batches.ok()) {
      REQUIRE(ReasonOf(batches.status()) == v1::DATA_CORRUPTED);
      int64_t first = 0;
      int64_t last = 0;
      REQUIRE(absl::SimpleAtoi(DetailsOf(batches.status()).at("first_lost"), &first));
      REQUIRE(absl::SimpleAtoi(DetailsOf(batches.status()).at("last_lost"), &last));
      REQUIRE(first == next.value());
      REQUIRE(last >= first);
      REQUIRE(last < end.value());
      found.lost.emplace_back(first, last);
      next = Offset(last + 1);
      continue;
    }
    REQUIRE_FALSE(batches->empty());
    for (const BatchPtr& batch : *batches) {
      EventElements elements(batch->payload.view());
      absl::string_view bytes;
      for (Offset at = batch->base_offset; elements.Next(&bytes); at = at + 1) {
        v1::Event event;
        REQUIRE(event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
        if (at >= next) found.data[at.value()] = event.data();
      }
      next = batch->end();
    }
  }
  return found;
}

// Batches of `batch` events whose data is their offset, round robin over the partitions.
void FillNumbered(TestStore& store, int batches, int partitions = 1, int batch = 1) {
  std::map<int, int> next;
  for (int i = 0; i < batches; ++i) {
    std::vector<std::string> events;
    for (int k = 0; k < batch; ++k) {
      events.push_back(EventElement(std::to_string(next[i % partitions]++)));
    }
    REQUIRE_OK(
        Commit(store.engine(), MakeAppend(TestStore::Partition(i % partitions), events), Level::kOs)
            .status);
  }
}

// Everything is in table files afterwards, and the store is closed.
void CloseWithTables(TestStore& store) {
  store.Reopen();  // Recovery flushes what the WAL had.
  store.Close();
}

void CheckNumbers(const ReadAround& found, int64_t events) {
  CHECK(static_cast<int64_t>(found.data.size()) + found.lost_events() == events);
  for (const auto& [offset, data] : found.data) REQUIRE(data == std::to_string(offset));
}

// A store with one large table file, on this disk or the machine's.
class OneTable {
 public:
  OneTable(int batches, int batch, std::shared_ptr<rocksdb::FileSystem> disk = nullptr) {
    store_.options().file_system = std::move(disk);
    store_.options().write_buffer_bytes = store_.options().memtable_bytes = 32 << 20;
    store_.Reopen();
    FillNumbered(store_, batches, 1, batch);
    CloseWithTables(store_);
    table_ = LargestTable(store_.path());
  }
  // In the middle of the n-th block.
  void DamageBlock(int number) {
    const int64_t at = number * kBlockBytes + kBlockBytes / 2;
    REQUIRE(at < static_cast<int64_t>(fs::file_size(table_)) - 4096);
    FlipBit(table_, at);
  }
  LogEngine& Open() {
    REQUIRE_OK(store_.Open());
    return store_.engine();
  }
  TestStore& store() { return store_; }

 private:
  TestStore store_;
  fs::path table_;
};

TEST_CASE("a flipped bit in a table file costs the events of its block and no others") {
  OneTable table(2000, 1);
  table.DamageBlock(1);
  const ReadAround found = ReadAroundDamage(table.Open(), TestStore::Partition());
  CheckNumbers(found, 2000);
  REQUIRE(found.lost.size() == 1);
  CHECK(found.lost_events() > 100);
  CHECK(found.lost_events() <= kMostInBlock);
}

// Fails so many reads of table files.
class BadReads final : public HookedDisk {
 public:
  void Fail(int reads) { left_ = reads; }
  // Only of this one. While no store is open.
  void OnlyOf(const fs::path& table) { which_ = table.filename().string(); }

 private:
  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override {
    const bool fails = call.Reads() && absl::EndsWith(call.path, which_) && left_ > 0;
    if (fails) --left_;
    return fails ? rocksdb::IOStatus::IOError("injected: read") : forward(call.data);
  }

  std::string which_ = ".sst";
  std::atomic<int> left_ = 0;
};

TEST_CASE("a read that fails once is tried again") {
  const auto disk = std::make_shared<BadReads>();
  OneTable table(2000, 1, disk);
  LogEngine& engine = table.Open();
  disk->Fail(1);
  const ReadAround found = ReadAroundDamage(engine, TestStore::Partition());
  CheckNumbers(found, 2000);
  CHECK(found.lost.empty());
}

TEST_CASE("reads that fail are told to who reads, end nothing, and come back with the disk") {
  const auto disk = std::make_shared<BadReads>();
  OneTable table(2000, 1, disk);
  LogEngine& engine = table.Open();
  disk->Fail(INT_MAX);
  const ReadAround failing = ReadAroundDamage(engine, TestStore::Partition());
  CHECK(failing.data.empty());
  CHECK(failing.lost_events() == 2000);
  REQUIRE_OK(Commit(engine, MakeAppend(TestStore::Partition(), {EventElement("2000")})).status);
  CHECK(ReadData(engine, TestStore::Partition(), Offset(2000))->size() == 1);
  CHECK(table.store().sink().causes().empty());
  disk->Fail(0);
  const ReadAround whole = ReadAroundDamage(engine, TestStore::Partition());
  CheckNumbers(whole, 2001);
  CHECK(whole.lost.empty());
}

TEST_CASE("an error says when the disk did not answer, and nothing is known to be damaged") {
  const auto disk = std::make_shared<BadReads>();
  OneTable table(2000, 1, disk);
  LogEngine& engine = table.Open();
  disk->Fail(INT_MAX);
  const absl::Status failing = engine.Read(TestStore::Partition(), Offset(0), 100).status();
  CHECK(ReasonOf(failing) == v1::DATA_CORRUPTED);
  CHECK(DetailsOf(failing).contains(kIoErrorDetail));
  disk->Fail(0);

  OneTable bad(2000, 1);
  bad.DamageBlock(0);
  const auto damage = bad.Open().Read(TestStore::Partition(), Offset(0), 100);
  CHECK(ReasonOf(damage.status()) == v1::DATA_CORRUPTED);
  CHECK_FALSE(DetailsOf(damage.status()).contains(kIoErrorDetail));
}

TEST_CASE("an error says of rows too when the disk did not answer") {
  const auto disk = std::make_shared<BadReads>();
  TestStore store;
  store.options().file_system = disk;
  store.Reopen();
  Transaction many;
  for (int i = 100; i < 400; ++i) {
    many.rows.push_back({Family::kState, absl::StrCat("some/", i), std::string(1000, 'x')});
  }
  REQUIRE_OK(Commit(store.engine(), std::move(many)).status);
  CloseWithTables(store);
  REQUIRE_OK(store.Open());
  disk->Fail(INT_MAX);
  const absl::Status failing = store.engine().LoadRows(Family::kState, "some/").status();
  disk->Fail(0);
  CHECK(ReasonOf(failing) == v1::DATA_CORRUPTED);
  CHECK(DetailsOf(failing).contains(kIoErrorDetail));
  const auto whole = store.engine().LoadRows(Family::kState, "some/");
  REQUIRE_OK(whole);
  CHECK(whole->size() == 300);
}

// Three events that only their table tells of, with ids or with sequences, of a topic that is not
// open yet.
class Unremembered {
 public:
  explicit Unremembered(bool ids) : ids_(ids) {
    store_.options().file_system = disk_;
    store_.options().dedupe_max_ids = 4;  // One for each partition.
    store_.Reopen();
    for (uint32_t number = 0; number < 3; ++number) {
      REQUIRE(Publish(store_.engine(), number, true, true) == 1);
    }
    CloseWithTables(store_);
    disk_->OnlyOf(LargestTable(store_.path()));
    if (ids_) return;
    // As a crash leaves it: their row was not written yet.
    REQUIRE_OK(store_.Open());
    Transaction forget;
    forget.rows = {{Family::kState, ProducerRow(TestStore::Partition()), std::nullopt}};
    REQUIRE_OK(Commit(store_.engine(), std::move(forget)).status);
    store_.Close();
  }

  // Opens the topic while so many reads fail.
  absl::Status Start(int failing_reads, bool accept_loss = false) {
    engine_.reset();
    disk_->Fail(0);
    store_.options().accept_loss = accept_loss;
    auto engine = LocalLogEngine::Open(store_.options(), store_.sink(), store_.clock());
    REQUIRE_OK(engine);
    engine_ = *std::move(engine);
    disk_->Fail(failing_reads);
    return engine_->OpenTopic(TestStore::kTopic, 4, store_.settings());
  }
  int Known() {
    int known = 0;
    for (uint32_t number = 0; number < 3; ++number) {
      known += Publish(*engine_, number, ids_, !ids_) == 0;
    }
    return known;
  }

 private:
  // How many were stored.
  static uint32_t Publish(LogEngine& engine, uint32_t number, bool id, bool sequence) {
    const std::string name = absl::StrCat("id", number);
    Append append =
        MakeAppend(TestStore::Partition(), {EventElement(std::string(10'000, 'x'), name)});
    if (id) append.ids.push_back({0, engine.HashEventId("", name)});
    if (sequence) {
      append.producer_id = 99;
      append.producer_epoch = 1;
      append.first_sequence = number;
    }
    const TransactionResult result = Commit(engine, std::move(append));
    REQUIRE_OK(result.status);
    REQUIRE_OK(result.appends.at(0).status);
    return result.appends.at(0).count;
  }

  const bool ids_;
  const std::shared_ptr<BadReads> disk_ = std::make_shared<BadReads>();
  TestStore store_;
  std::unique_ptr<LocalLogEngine> engine_;
};

TEST_CASE("a start remembers all ids and sequences although a read of them fails once") {
  Unremembered events(GENERATE(false, true));
  REQUIRE_OK(events.Start(1));
  CHECK(events.Known() == 3);
}

TEST_CASE("a start that the disk does not give ids or sequences is refused, and forgets none") {
  Unremembered events(GENERATE(false, true));
  const absl::Status refused = events.Start(INT_MAX);
  INFO(refused.message());
  CHECK(ReasonOf(refused) == v1::FOLDER_UNUSABLE);
  CHECK(absl::StrContains(refused.message(), "start again"));
  REQUIRE_OK(events.Start(0));
  CHECK(events.Known() == 3);
}

TEST_CASE("a start that accepts loss goes on without the ids that the disk does not give") {
  Unremembered events(GENERATE(false, true));
  REQUIRE_OK(events.Start(INT_MAX, true));
  CHECK(events.Known() == 0);
}

TEST_CASE("what lies between two damaged blocks is read") {
  OneTable table(6000, 1);
  table.DamageBlock(3);
  table.DamageBlock(5);
  table.DamageBlock(6);
  const ReadAround found = ReadAroundDamage(table.Open(), TestStore::Partition());
  CheckNumbers(found, 6000);
  REQUIRE(found.lost.size() == 2);
  CHECK(found.lost[0].second - found.lost[0].first < kMostInBlock);
  CHECK(found.lost[1].second - found.lost[1].first < 2 * kMostInBlock);
  CHECK(found.lost[1].first - found.lost[0].second > 100);
}

TEST_CASE("damage before batches of many events ends where the next batch begins") {
  OneTable table(300, 100);
  table.DamageBlock(2);
  const ReadAround found = ReadAroundDamage(table.Open(), TestStore::Partition());
  CheckNumbers(found, 30'000);
  REQUIRE(found.lost.size() == 1);
  CHECK(found.lost[0].first % 100 == 0);
  CHECK(found.lost[0].second % 100 == 99);
}

TEST_CASE("damage of the newest block ends with the visible end") {
  OneTable table(2000, 1);
  table.DamageBlock(3);
  LogEngine& engine = table.Open();
  const ReadAround found = ReadAroundDamage(engine, TestStore::Partition());
  CheckNumbers(found, 2000);
  REQUIRE(found.lost.size() == 1);
  CHECK(found.lost[0].second == 1999);
  CHECK(engine.Read(TestStore::Partition(), Offset(2000), 100)->empty());
}

TEST_CASE("a damaged table file hides nothing that is in others") {
  TestStore store;  // Tables of about one block.
  FillNumbered(store, 4000, 4);
  CloseWithTables(store);
  const auto tables = DatabaseFiles(store.path(), ".sst");
  REQUIRE(tables.size() > 6);
  int64_t damaged = 0;
  for (size_t i = 0; i < tables.size(); i += 3) {
    if (fs::file_size(tables[i]) < 10'000) continue;
    FlipBit(tables[i], static_cast<int64_t>(fs::file_size(tables[i]) / 3));
    ++damaged;
  }
  REQUIRE(damaged > 1);
  REQUIRE_OK(store.Open());
  int64_t lost = 0;
  for (int32_t number = 0; number < 4; ++number) {
    const ReadAround found = ReadAroundDamage(store.engine(), TestStore::Partition(number));
    CheckNumbers(found, 1000);
    lost += found.lost_events();
  }
  CHECK(lost > 0);
  CHECK(lost <= damaged * kMostInBlock);
}

// The reason is of the start, and names the file.
void CheckRefused(const absl::Status& start, const fs::path& table) {
  INFO(start.message());
  CHECK(ReasonOf(start) == v1::DATA_LOST);
  CHECK(absl::StrContains(start.message(), table.filename().string()));
}

TEST_CASE("a table file that is no table any more refuses the start") {
  TestStore store;
  FillNumbered(store, 2000);
  CloseWithTables(store);
  const fs::path table = LargestTable(store.path());
  FlipBit(table, static_cast<int64_t>(fs::file_size(table)) - 3);  // Its last bytes say what it is.
  CheckRefused(store.Open(), table);
}

TEST_CASE("a flipped bit in the index of a table file refuses the start, and names the file") {
  OneTable table(2000, 1);
  const fs::path file = LargestTable(table.store().path());
  const std::optional<FileRange> index = IndexOf(file);
  REQUIRE(index.has_value());
  // The library's own word for where the index is, and that it is one block.
  rocksdb::SstFileReader reader{rocksdb::Options()};
  REQUIRE(reader.Open(file).ok());
  REQUIRE(reader.GetTableProperties()->index_partitions == 0);
  const uint64_t size = reader.GetTableProperties()->index_size;
  REQUIRE(size == index->end - index->begin);

  const uint64_t half = GENERATE(0, 1, 2);  // Its first byte, in the middle, its last.
  FlipBit(file, static_cast<int64_t>(index->begin + (size - 1) * half / 2));
  const absl::Status refused = table.store().Open();
  CheckRefused(refused, file);
  CHECK(absl::StrContains(refused.message(), absl::StrCat("offset ", index->begin, " size ")));
}

TEST_CASE("a scrub names the range a damaged block took, and checks all the rest") {
  OneTable table(6000, 1);
  table.DamageBlock(2);
  table.DamageBlock(4);
  LogEngine& engine = table.Open();
  const ReadAround found = ReadAroundDamage(engine, TestStore::Partition());
  const auto page = engine.Scrub({"", absl::Seconds(100)});
  REQUIRE_OK(page);
  CHECK(page->next_token.empty());
  CHECK(page->batches == static_cast<int64_t>(found.data.size()));
  REQUIRE(found.lost.size() == 2);
  REQUIRE(page->problems.size() == 2);
  for (size_t i = 0; i < 2; ++i) {
    const ScrubProblem& problem = page->problems[i];
    CHECK(problem.partition == TestStore::Partition());
    CHECK(problem.first == Offset(found.lost[i].first));
    CHECK(problem.last == Offset(found.lost[i].second));
    CHECK(problem.problem.find("cannot be read") != std::string::npos);
  }
}

// Another clock, which does something when the thread that made it looks at it.
class ActingClock final : public Clock {
 public:
  explicit ActingClock(const Clock& clock) : clock_(clock) {}
  absl::Time Wall() const override { return clock_.Wall(); }
  absl::Duration SinceBoot() const override {
    if (std::this_thread::get_id() == thread_ && --looks_ == 0) act_();
    return clock_.SinceBoot();
  }
  // At the n-th look from now on.
  void ActAt(int look, std::function<void()> act) {
    looks_ = look;
    act_ = std::move(act);
  }

 private:
  const Clock& clock_;
  const std::thread::id thread_ = std::this_thread::get_id();
  mutable int looks_ = 0;
  std::function<void()> act_;
};

TEST_CASE("what retention or a deletion takes while a scrub reads is no damage") {
  const bool deleted = GENERATE(false, true);
  TestStore store;
  store.Close();
  ActingClock clock(store.clock());
  const auto opened = LocalLogEngine::Open(store.options(), store.sink(), clock);
  REQUIRE_OK(opened);
  LocalLogEngine& engine = **opened;
  store.settings().retention = absl::Seconds(100);
  REQUIRE_OK(engine.OpenTopic(TestStore::kTopic, 4, store.settings()));
  for (int i = 0; i < 30; ++i) {
    REQUIRE_OK(Commit(engine, MakeAppend(TestStore::Partition(), {EventElement("x")})).status);
    store.clock().Advance(absl::Seconds(10));
  }
  // The first look is for the budget, the second one comes between the first offset and the read.
  absl::Status maintained;
  clock.ActAt(2, [&] {
    if (deleted) engine.DropTopic(TestStore::kTopic);
    if (!deleted) maintained = engine.MaintainNow();
  });
  const auto page = engine.Scrub({"", absl::Seconds(100)});
  REQUIRE_OK(maintained);
  REQUIRE_OK(page);
  CHECK(page->problems.empty());
  CHECK(page->batches == (deleted ? 0 : 10));
  CHECK(page->next_token.empty());
}

}  // namespace
}  // namespace acta
