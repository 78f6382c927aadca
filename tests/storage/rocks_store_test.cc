#include "storage/rocks/rocks_store.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/layout/batch_header.h"
#include "storage/log/log_reader.h"
#include "storage/rocks/rocks_options.h"
#include "storage/rocks/store_file_system.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/held_disk.h"
#include "tests/support/hooked_disk.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/wait_until.h"

namespace acta {
namespace {

constexpr PartitionId kPartition{TopicId(1), 0};

// One table of one batch.
void WriteTable(RocksStore& store, const FamilyPtr& slice, int64_t offset) {
  const std::string payload = std::to_string(offset);
  BatchHeader header;
  header.partition = kPartition;
  header.base_offset = Offset(offset);
  header.count = 1;
  header.payload_len = static_cast<uint32_t>(payload.size());
  WriteGroup group(GroupNumber(static_cast<uint64_t>(offset) + 1), Incarnation(1));
  group.PutBatch(slice, LogKey(kPartition, Offset(offset)), EncodeBatchHeader(header, ""), "",
                 payload);
  REQUIRE_OK(store.Write(group));
  REQUIRE_OK(store.Flush(slice));
}

// What a reader of one table finds; empty: there is none for it.
std::string ReadTable(const RocksStore& store, const FamilyPtr& slice, int64_t offset) {
  const auto cursor = store.NewReaderCursor(slice, kPartition, Offset(offset));
  if (cursor == nullptr) return "";
  cursor->Seek(LogKey(kPartition, Offset(offset)));
  REQUIRE(cursor->Valid());
  const auto header = DecodeBatchHeader(cursor->value());
  REQUIRE_OK(header);
  return std::string(PayloadOf(*header, cursor->value()));
}

std::unique_ptr<RocksStore> OpenStore(const TempDir& folder, RocksSettings settings = {}) {
  settings.path = folder.File("rocks");
  const auto files = std::make_shared<StoreFileSystem>(rocksdb::FileSystem::Default());
  auto store = RocksStore::Open(settings, files, [](const std::string&) {});
  REQUIRE_OK(store);
  return *std::move(store);
}

// A partition in one slice, with a table for each of these batches, which stand in order.
PartitionStart WriteTables(RocksStore& store, const std::vector<int64_t>& offsets) {
  const auto made = store.CreateSlices({"log.1.1"});
  REQUIRE_OK(made);
  const auto slice = std::make_shared<Slice>();
  slice->family = made->front();
  for (const int64_t offset : offsets) WriteTable(store, slice->family, offset);
  PartitionStart start;
  start.spans = {{slice, {Offset(offsets.front()), Offset(offsets.back())}}};
  return start;
}

TEST_CASE("a batch is read from its one table, of which a bounded number is open") {
  constexpr int64_t kTables = 60;
  constexpr size_t kOpen = 50;
  const TempDir folder;
  RocksSettings settings;
  settings.open_tables = kOpen;
  const auto store = OpenStore(folder, settings);
  auto made = store->CreateSlices({"log.1.1", "log.1.2"});
  REQUIRE_OK(made);
  FamilyPtr slice = (*made)[0];
  CHECK(ReadTable(*store, slice, 0).empty());
  for (int64_t i = 0; i < kTables; ++i) {
    WriteTable(*store, slice, i);
    if (i % 10 == 0) CHECK(ReadTable(*store, slice, i) == std::to_string(i));  // A new table.
  }
  for (int64_t i = kTables - 1; i >= 0; --i) {
    REQUIRE(ReadTable(*store, slice, i) == std::to_string(i));
  }
  CHECK(ReadTable(*store, slice, kTables).empty());
  CHECK(store->OpenReaders() == kOpen);

  // What is read while its slice is dropped is read, and then let go.
  const auto cursor = store->NewReaderCursor(slice, kPartition, Offset(7));
  REQUIRE(cursor != nullptr);
  REQUIRE_OK(store->DropFamilies({slice}));
  CHECK(store->OpenReaders() == 0);
  cursor->Seek(LogKey(kPartition, Offset(7)));
  CHECK(cursor->Valid());
  CHECK(ReadTable(*store, slice, 8) == "8");
  CHECK(store->OpenReaders() == 0);
}

TEST_CASE("tables that are open take a bounded number of bytes, and one is open all the same") {
  const TempDir folder;
  const auto open_within = [&](size_t bytes, const char* slice_name) {
    RocksSettings settings;
    settings.path = folder.File(slice_name);
    settings.open_table_bytes = bytes;
    const auto store = OpenStore(folder, settings);
    const auto made = store->CreateSlices({slice_name});
    REQUIRE_OK(made);
    constexpr int64_t kTables = 20;
    for (int64_t i = 0; i < kTables; ++i) WriteTable(*store, made->front(), i);
    for (int64_t i = 0; i < 2 * kTables; ++i) {
      REQUIRE(ReadTable(*store, made->front(), i % kTables) == std::to_string(i % kTables));
    }
    const size_t open = store->OpenReaders();
    REQUIRE_OK(store->DropFamilies({made->front()}));
    CHECK(store->OpenReaders() == 0);
    return open;
  };
  CHECK(open_within(1, "log.1.1") == 1);
  const size_t some = open_within(size_t{100} << 10, "log.1.2");
  CHECK(some > 5);
  CHECK(some < 15);
  CHECK(open_within(size_t{10} << 20, "log.1.3") == 20);
}

TEST_CASE("a walk and a search look into the tables that have what they want") {
  std::vector<int64_t> offsets(40);
  std::iota(offsets.begin(), offsets.end(), 0);
  const TempDir folder;
  const auto store = OpenStore(folder);
  const PartitionLog partition(kPartition, WriteTables(*store, offsets));
  const LogReader reader(*store);

  std::vector<int64_t> walked;
  REQUIRE_OK(reader.Walk(partition, Offset(10), [&](const BatchHeader& header, absl::string_view) {
    walked.push_back(header.base_offset.value());
    return walked.size() < 3;
  }));
  CHECK(walked == std::vector<int64_t>{10, 11, 12});
  CHECK(store->OpenReaders() == 3);

  const auto reached = [](const BatchHeader& header) { return header.base_offset >= Offset(20); };
  const auto found = reader.FindFirst(partition, reached);
  REQUIRE_OK(found);
  REQUIRE(found->has_value());
  CHECK((*found)->base_offset == Offset(20));
  CHECK(store->OpenReaders() > 3);
}

TEST_CASE("a search ends where events are missing, and finds what is behind them") {
  const TempDir folder;
  const auto store = OpenStore(folder);
  const PartitionLog partition(kPartition, WriteTables(*store, {0, 1, 2, 3, 4, 12, 13, 14, 15}));
  const LogReader reader(*store);
  for (const int64_t from : {3, 5, 8, 12, 14}) {
    int looks = 0;
    const auto found = reader.FindFirst(partition, [&](const BatchHeader& header) {
      REQUIRE(++looks < 100);
      return header.base_offset >= Offset(from);
    });
    REQUIRE_OK(found);
    REQUIRE(found->has_value());
    CHECK((*found)->base_offset == Offset(from < 5 || from > 12 ? from : 12));
  }
}

// The first sync of a WAL file that refused a write is an assertion of RocksDB's.
TEST_CASE("after a failed write the store refuses what would touch its WAL, and stays readable") {
  const TempDir folder;
  RocksSettings settings;
  settings.path = folder.File("rocks");
  const auto disk = std::make_shared<FaultyDisk>();
  const auto files = std::make_shared<StoreFileSystem>(disk);
  auto store = RocksStore::Open(settings, files, [](const std::string&) {});
  REQUIRE_OK(store);
  WriteGroup group(GroupNumber(1), Incarnation(1));
  group.Put((*store)->state(), "key", "there");
  REQUIRE_OK((*store)->Write(group));

  disk->Fail(FaultyDisk::Fault::kWrite, 1);
  group.Restart(GroupNumber(2), Incarnation(1));
  group.Put((*store)->state(), "key", "lost");
  REQUIRE_FALSE((*store)->Write(group).ok());
  (*store)->Leak();
  CHECK_FALSE((*store)->SyncWal().ok());
  CHECK_FALSE((*store)->Flush((*store)->state()).ok());
  CHECK_FALSE((*store)->CreateSlices({"log.1"}).ok());
  CHECK_FALSE((*store)->Write(group).ok());
  const auto read = (*store)->Get((*store)->state(), "key");
  REQUIRE_OK(read);
  CHECK(*read == "there");
}

// Table files cannot be made.
class Tableless final : public HookedDisk {
  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override {
    return MakesTable(call) ? rocksdb::IOStatus::IOError("injected") : forward(call.data);
  }
};

// A database that is left alone outlives its engine, and its threads fail as they come.
TEST_CASE("a failure in the background is told once, and nobody when it is not to be told") {
  const bool listens = GENERATE(true, false);
  const TempDir folder;
  RocksSettings settings;
  settings.path = folder.File("rocks");
  const auto files = std::make_shared<StoreFileSystem>(std::make_shared<Tableless>());
  std::atomic<int> told = 0;
  auto store = RocksStore::Open(settings, files, [&told](const std::string&) { ++told; });
  REQUIRE_OK(store);
  WriteGroup group(GroupNumber(1), Incarnation(1));
  group.Put((*store)->state(), "key", "value");
  group.Put((*store)->meta(), "key", "value");
  REQUIRE_OK((*store)->Write(group));
  if (!listens) (*store)->StopTelling();
  CHECK_FALSE((*store)->Flush((*store)->state()).ok());
  CHECK_FALSE((*store)->Flush((*store)->meta()).ok());
  CHECK(told == (listens ? 1 : 0));
  (*store)->StopTelling();
  (*store)->Leak();
}

TEST_CASE("that writes are stopped is known while they are, and not any longer") {
  const TempDir folder;
  RocksSettings settings;
  settings.path = folder.File("rocks");
  settings.row_buffer_bytes = size_t{64} << 10;
  const auto disk = std::make_shared<HeldDisk>(MakesTable);
  const auto files = std::make_shared<StoreFileSystem>(disk);
  const auto store = RocksStore::Open(settings, files, [](const std::string&) {});
  REQUIRE_OK(store);
  CHECK_FALSE((*store)->stalls().stopped);
  // No memtable becomes a table, until none is left.
  disk->Hold(true);
  std::atomic<bool> enough = false;
  std::thread writes([&] {
    for (uint64_t i = 1; !enough; ++i) {
      WriteGroup group(GroupNumber(i), Incarnation(1));
      group.Put((*store)->state(), absl::StrCat("key-", i), std::string(16 << 10, 'x'));
      if (!(*store)->Write(group).ok()) return;
    }
  });
  // Also when a check fails.
  absl::Cleanup release = [&] {
    enough = true;
    disk->Hold(false);
    writes.join();
  };
  REQUIRE(WaitUntil([&] { return (*store)->stalls().stopped; }));
  std::move(release).Invoke();  // The last write goes on when a table is made.
  CHECK(WaitUntil([&] { return !(*store)->stalls().stopped; }));
  CHECK((*store)->stalls().stops >= 1);
}

std::function<bool(std::string*, std::string*)> OneRow() {
  return [given = false](std::string* key, std::string* value) mutable {
    *key = "key";
    *value = "value";
    return !std::exchange(given, true);
  };
}

// Counts how often the options of all families are written.
class CountsOptions final : public HookedDisk {
 public:
  std::atomic<int> written = 0;

 private:
  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override {
    written +=
        call.kind == DiskOperation::Kind::kRename && absl::StrContains(call.other, "OPTIONS");
    return forward(call.data);
  }
};

TEST_CASE("families that are dropped together cost one writing of their options") {
  const TempDir folder;
  RocksSettings settings;
  settings.path = folder.File("rocks");
  const auto disk = std::make_shared<CountsOptions>();
  const auto open = [&] {
    auto store =
        RocksStore::Open(settings, std::make_shared<StoreFileSystem>(disk), [](const auto&) {});
    REQUIRE_OK(store);
    return *std::move(store);
  };
  auto store = open();
  auto slices = store->CreateSlices({"log.1.1", "log.1.2", "log.1.3"});
  REQUIRE_OK(slices);
  auto indexes = store->CreateIndexes({"index.1.1", "index.1.2"});
  REQUIRE_OK(indexes);
  const int before = disk->written;
  REQUIRE_OK(store->DropFamilies({(*indexes)[0], (*slices)[0], (*slices)[1]}));
  CHECK(disk->written == before + 1);
  REQUIRE_OK(store->DropFamilies({}));
  CHECK(disk->written == before + 1);
  *slices = *indexes = {};
  store = nullptr;
  store = open();
  CHECK(store->slices().size() == 1);
  CHECK(store->slices().contains("log.1.3"));
  CHECK(store->indexes().size() == 1);
  CHECK(store->indexes().contains("index.1.2"));
}

TEST_CASE("a file for an index that was dropped meanwhile is added to nothing") {
  const TempDir folder;
  RocksSettings settings;
  settings.path = folder.File("rocks");
  const auto files = std::make_shared<StoreFileSystem>(rocksdb::FileSystem::Default());
  std::atomic<int> told = 0;
  auto store = RocksStore::Open(settings, files, [&told](const std::string&) { ++told; });
  REQUIRE_OK(store);
  const auto made = (*store)->CreateIndexes({"index.1.1", "index.1.2"});
  REQUIRE_OK(made);
  REQUIRE_OK((*store)->DropFamilies({(*made)[0]}));
  REQUIRE_OK((*store)->AddFile((*made)[0], OneRow()));
  REQUIRE_OK((*store)->AddFile((*made)[1], OneRow()));
  const auto read = (*store)->Get((*made)[1], "key");
  REQUIRE_OK(read);
  CHECK(*read == "value");
  CHECK(told == 0);
}

// What waits in the folder of a database for its deletion.
int64_t TrashBytes(const std::string& folder) {
  int64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::error_code gone;
    const auto size = static_cast<int64_t>(entry.file_size(gone));
    if (entry.path().extension() == ".trash" && !gone) bytes += size;
  }
  return bytes;
}

// Slices of so many table files with 60 KB each.
class Slices {
 public:
  explicit Slices(RocksStore& store) : store_(store) {}

  FamilyPtr Make(const std::string& name, int files) {
    const auto made = store_.CreateSlices({name});
    REQUIRE_OK(made);
    for (int i = 0; i < files; ++i) {
      WriteGroup group(GroupNumber(++last_), Incarnation(1));
      group.Put(made->front(), LogKey(PartitionId(1), Offset(i)), std::string(60'000, 'x'));
      REQUIRE_OK(store_.Write(group));
      REQUIRE_OK(store_.Flush(made->front()));
    }
    return made->front();
  }
  // Its files go with the last who reads them: the caller must not be one.
  void Drop(FamilyPtr slice) { REQUIRE_OK(store_.DropFamilies({slice})); }

 private:
  RocksStore& store_;
  uint64_t last_ = 0;
};

// The rate when it is that of what waits: files go beside the test.
int64_t PacedRate(RocksStore& store, const std::string& folder) {
  int64_t rate = 0;
  REQUIRE(WaitUntil([&] {
    store.PaceDeletion();
    rate = store.DeletionBytesPerSecond();
    return rate == TrashBytes(folder) / 30;
  }));
  return rate;
}

TEST_CASE("files that wait for their deletion go within half a minute, and never slower than set") {
  constexpr int64_t kSet = 1000;
  constexpr int64_t kFile = 60'000;
  const TempDir folder;
  RocksSettings settings;
  settings.path = folder.File("rocks");
  settings.direct_io = false;
  settings.deletion_bytes_per_second = kSet;
  const auto files = std::make_shared<StoreFileSystem>(nullptr);
  auto store = RocksStore::Open(settings, files, [](const std::string&) {});
  REQUIRE_OK(store);
  Slices slices(**store);
  const FamilyPtr kept = slices.Make("log.1", 10);
  (*store)->PaceDeletion();
  CHECK((*store)->DeletionBytesPerSecond() == kSet);  // Nothing waits.

  FamilyPtr first = slices.Make("log.2", 6);
  FamilyPtr second = slices.Make("log.3", 6);
  slices.Drop(std::move(first));
  const int64_t rate = PacedRate(**store, settings.path);
  CHECK(rate >= 4 * kFile / 30);
  slices.Drop(std::move(second));
  const int64_t faster = PacedRate(**store, settings.path);
  CHECK(faster >= rate + 4 * kFile / 30);
}

// Of the MANIFEST that is in use.
int64_t ManifestBytes(const std::string& folder) {
  std::string name;
  std::ifstream current(folder + "/CURRENT");
  std::getline(current, name);
  return static_cast<int64_t>(std::filesystem::file_size(folder + "/" + name));
}

TEST_CASE("a MANIFEST ends while the store is open, and the next one has all that is there") {
  const TempDir folder;
  RocksSettings settings;
  settings.path = folder.File("rocks");
  settings.max_manifest_bytes = 4096;
  const auto open = [&settings] {
    const auto files = std::make_shared<StoreFileSystem>(rocksdb::FileSystem::Default());
    auto store = RocksStore::Open(settings, files, [](const std::string&) {});
    REQUIRE_OK(store);
    return *std::move(store);
  };
  auto store = open();
  {
    const auto kept = store->CreateSlices({"log.1.0"});
    REQUIRE_OK(kept);
    WriteTable(*store, (*kept)[0], 0);
  }
  for (int64_t i = 1; i <= 60; ++i) {
    const auto made = store->CreateSlices({"log.1." + std::to_string(i)});
    REQUIRE_OK(made);
    WriteTable(*store, (*made)[0], i);
    REQUIRE_OK(store->DropFamilies({(*made)[0]}));
    REQUIRE(ManifestBytes(settings.path) < 2 * 4096);
  }
  store = nullptr;
  store = open();
  REQUIRE(store->slices().size() == 1);
  CHECK(ReadTable(*store, store->slices().at("log.1.0"), 0) == "0");
}

}  // namespace
}  // namespace acta
