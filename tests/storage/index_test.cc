#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "proto/support/error.h"
#include "storage/layout/engine_rows.h"
#include "storage/layout/index_block.h"
#include "tests/support/held_disk.h"
#include "tests/support/status_matchers.h"
#include "tests/support/table_damage.h"
#include "tests/support/test_store.h"
#include "tests/support/wait_until.h"

namespace acta {
namespace {

constexpr uint64_t kLeastHash = uint64_t{1} << (64 - kIndexHashBits);

IndexEntry Entry(uint64_t hash, int32_t partition, int64_t offset) {
  return {IndexedHash(hash), TestStore::Partition(partition), Offset(offset)};
}

void Publish(TestStore& store, int32_t partition, int events) {
  for (int i = 0; i < events; ++i) {
    const auto done =
        Commit(store.engine(), MakeAppend(TestStore::Partition(partition), {EventElement("x")}));
    REQUIRE_OK(done.status);
  }
}

std::vector<IndexPlace> Find(TestStore& store, std::vector<uint64_t> hashes, IndexPlace least = {},
                             size_t most = 1'000'000) {
  IndexPlaces found(least, most);
  REQUIRE_OK(store.engine().FindInIndex(std::move(hashes), &found));
  return found.Take();
}
std::vector<IndexPlace> Places(const std::vector<IndexEntry>& entries) {
  std::vector<IndexPlace> places;
  for (const IndexEntry& entry : entries) places.push_back(PlaceOf(entry));
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  return places;
}

TEST_CASE("a block of the index gives back what was put into it") {
  std::vector<IndexEntry> entries;
  for (uint64_t i = 0; i < 300; ++i) {
    entries.push_back(Entry((i / 3) * kLeastHash, static_cast<int32_t>(i % 4),
                            static_cast<int64_t>(i * i * i * 1'000'003)));
  }
  std::sort(entries.begin(), entries.end());
  std::string block;
  for (const IndexEntry& entry : entries) AppendToIndexBlock(entry, &block);
  for (uint64_t hash = 0; hash <= 100; ++hash) {
    IndexPlaces found({}, 100);
    REQUIRE_OK(FindInIndexBlock(block, hash * kLeastHash + 5, &found));
    std::vector<IndexEntry> expected;
    for (const IndexEntry& entry : entries) {
      if (entry.hash == hash * kLeastHash) expected.push_back(entry);
    }
    CHECK(expected.size() == (hash < 100 ? 3 : 0));
    CHECK(found.Take() == Places(expected));
  }
  IndexPlaces found({}, 100);
  for (size_t cut = 1; cut < 6; ++cut) {
    CHECK(ReasonOf(FindInIndexBlock(absl::string_view(block).substr(0, block.size() - cut), 0,
                                    &found)) == v1::DATA_CORRUPTED);
  }
}

TEST_CASE("what was added to the index is found, also after a restart and a crash") {
  TestStore store;
  Publish(store, 0, 10);
  Publish(store, 1, 10);
  std::mt19937_64 random(7);
  std::vector<IndexEntry> entries;
  for (int i = 0; i < 5'000; ++i) {
    entries.push_back(Entry(random(), i % 2, static_cast<int64_t>(random() % 10)));
  }
  std::sort(entries.begin(), entries.end());
  const absl::Span<const IndexEntry> all_of(entries);
  REQUIRE_OK(store.engine().AddToIndex(all_of.subspan(0, 2'000)));
  REQUIRE_OK(store.engine().AddToIndex(all_of.subspan(1'500)));
  const auto check = [&] {
    std::vector<uint64_t> all;
    for (const IndexEntry& entry : entries) {
      REQUIRE(Find(store, {entry.hash, ~entry.hash}) == Places({entry}));
      all.push_back(entry.hash);
    }
    CHECK(Find(store, all) == Places(entries));
  };
  check();
  CHECK(store.engine().Stats().indexes == 1);
  CHECK(store.engine().SizeOfIndex().bytes > 0);
  store.Reopen();
  check();
  store.Crash();
  check();
  REQUIRE_OK(store.engine().DropIndex());
  CHECK(Find(store, {entries[0].hash}).empty());
  store.Reopen();
  CHECK(Find(store, {entries[0].hash}).empty());
}

TEST_CASE("who publishes does not wait while a file of the index is written") {
  std::atomic<bool> begun = false;
  const auto disk = std::make_shared<HeldDisk>([&begun](const DiskCall& call) {
    const bool writes =
        call.kind == DiskOperation::Kind::kCreate && absl::EndsWith(call.path, "/run.tmp");
    if (writes) begun = true;
    return writes;
  });
  LocalEngineOptions options;
  options.file_system = disk;
  TestStore store(options);
  Publish(store, 0, 3);
  disk->Hold(true);
  std::atomic<bool> ended = false;
  std::thread adds([&] {
    const absl::Status added = store.engine().AddToIndex({Entry(kLeastHash, 0, 1)});
    ended = added.ok();
  });
  // Also when a check fails.
  absl::Cleanup release = [&] {
    disk->Hold(false);
    adds.join();
  };
  REQUIRE(WaitUntil([&begun] { return begun.load(); }));
  Publish(store, 0, 5);
  CHECK_FALSE(ended);
  std::move(release).Invoke();
  CHECK(ended);
  CHECK(ReadData(store.engine(), TestStore::Partition()).value().size() == 8);
  CHECK(Find(store, {kLeastHash}).size() == 1);
}

TEST_CASE("a file of the index that a kill left two names of is not written over") {
  namespace fs = std::filesystem;
  TestStore store;
  Publish(store, 0, 3);
  REQUIRE_OK(store.engine().AddToIndex({Entry(kLeastHash, 0, 1)}));
  // As between the new name and the end of the old one. The newest table is that of the index.
  const fs::path database = store.path() + "/db";
  fs::path newest;
  for (const auto& file : fs::directory_iterator(database)) {
    if (file.path().extension() == ".sst") newest = std::max(newest, file.path());
  }
  REQUIRE(!newest.empty());
  fs::create_hard_link(newest, database / "run.tmp");
  REQUIRE_OK(store.engine().AddToIndex({Entry(2 * kLeastHash, 0, 2)}));
  store.Reopen();
  CHECK(Find(store, {kLeastHash}) == Places({Entry(kLeastHash, 0, 1)}));
  CHECK(Find(store, {2 * kLeastHash}) == Places({Entry(2 * kLeastHash, 0, 2)}));
}

TEST_CASE("an entry leaves the disk with the slice of its event") {
  LocalEngineOptions options;
  options.slice_age = absl::Minutes(1);
  TestStore store(options);
  Publish(store, 0, 3);
  REQUIRE_OK(store.engine().AddToIndex({Entry(kLeastHash, 0, 1)}));
  store.clock().Advance(absl::Hours(1));
  REQUIRE_OK(store.engine().MaintainNow());  // A new slice.
  Publish(store, 0, 3);
  REQUIRE_OK(store.engine().AddToIndex(
      {Entry(kLeastHash, 0, 2), Entry(kLeastHash, 0, 4), Entry(kLeastHash, 3, 0)}));
  CHECK(store.engine().Stats().indexes == 2);
  CHECK(Find(store, {kLeastHash}) ==
        Places({Entry(kLeastHash, 0, 1), Entry(kLeastHash, 0, 2), Entry(kLeastHash, 0, 4)}));
  store.clock().Advance(store.settings().retention - absl::Minutes(30));
  REQUIRE_OK(store.engine().MaintainNow());
  CHECK(store.engine().Stats().indexes == 1);
  CHECK(Find(store, {kLeastHash}) == Places({Entry(kLeastHash, 0, 4)}));
  store.Reopen();
  CHECK(Find(store, {kLeastHash}) == Places({Entry(kLeastHash, 0, 4)}));
}

RowWrite LedgerElement(const std::string& data) {
  return {Family::kLedger, "", EventElement(data)};
}

TEST_CASE("what groups did is appended with their rows, and to nothing where it is not kept") {
  LocalEngineOptions options;
  options.ledger_retention = absl::Hours(1);
  TestStore store(options);
  Transaction transaction;
  transaction.rows = {{Family::kState, "position", "1"}, LedgerElement("a"), LedgerElement("b")};
  const TransactionResult result = Commit(store.engine(), std::move(transaction));
  REQUIRE_OK(result.status);
  CHECK(result.appends.empty());
  CHECK(ReadData(store.engine(), kLedgerPartition).value() == std::vector<std::string>{"a", "b"});
  CHECK(store.engine().Stats().events_appended == 0);  // Nobody published it.
  store.Crash();
  CHECK(ReadData(store.engine(), kLedgerPartition).value() == std::vector<std::string>{"a", "b"});
  CHECK(store.engine().LoadRows(Family::kState, "position")->size() == 1);

  store.options().ledger_retention = absl::ZeroDuration();
  store.Reopen();
  CHECK(ReasonOf(store.engine().Extent(kLedgerPartition).status()) == v1::PARTITION_NOT_FOUND);
  Transaction unkept;
  unkept.rows = {{Family::kState, "position", "2"}, LedgerElement("c")};
  REQUIRE_OK(Commit(store.engine(), std::move(unkept)).status);
  CHECK(store.engine().LoadRows(Family::kState, "position")->at(0).second == "2");
  // Its slices keep nothing of the ledger alive.
  store.clock().Advance(absl::Hours(24 * 60));
  REQUIRE_OK(store.engine().MaintainNow());
  REQUIRE_OK(store.engine().MaintainNow());
  for (int i = 0; i < 3; ++i) REQUIRE_OK(store.engine().MaintainNow());
  store.options().ledger_retention = absl::Hours(1);
  store.Reopen();
  CHECK(store.engine().Extent(kLedgerPartition)->end == Offset(0));
}

TEST_CASE("of what was appended before the ledger was switched on it does not tell all") {
  LocalEngineOptions options;
  options.ledger_retention = absl::Hours(1);
  TestStore store(options);
  const auto since_us = [&store] {
    return store.engine().Extent(kLedgerPartition)->trimmed_before_us;
  };
  CHECK(since_us() == absl::ToUnixMicros(store.clock().Wall()));
  const int64_t first_us = since_us();
  store.clock().Advance(absl::Minutes(1));
  store.Reopen();
  CHECK(since_us() == first_us);
  store.Crash();
  CHECK(since_us() == first_us);
  store.options().ledger_retention = absl::ZeroDuration();
  store.Reopen();
  store.clock().Advance(absl::Minutes(1));
  const int64_t off_us = absl::ToUnixMicros(store.engine().Now());
  store.options().ledger_retention = absl::Hours(1);
  store.Reopen();
  CHECK(since_us() >= off_us);
  const int64_t again_us = since_us();
  store.clock().Advance(absl::Minutes(1));
  store.Reopen();
  CHECK(since_us() == again_us);
}

TEST_CASE("of what was appended before a loss was accepted the ledger does not tell all") {
  LocalEngineOptions options;
  options.ledger_retention = absl::Hours(1);
  options.accept_loss = true;
  TestStore store(options);
  const auto since_us = [&store] {
    return store.engine().Extent(kLedgerPartition)->trimmed_before_us;
  };
  const int64_t first_us = since_us();
  store.clock().Advance(absl::Minutes(1));
  store.Reopen();  // What the store says of itself stands in a table file from here on.
  CHECK(since_us() == first_us);
  store.Close();
  for (const auto& wal : DatabaseFiles(store.path(), ".log")) std::filesystem::remove(wal);
  store.clock().Advance(absl::Minutes(1));
  REQUIRE_OK(store.Open());
  CHECK(store.engine().incarnation() == Incarnation(2));
  CHECK(since_us() == absl::ToUnixMicros(store.clock().Wall()));
  const int64_t lost_us = since_us();
  store.clock().Advance(absl::Minutes(1));
  store.Reopen();
  CHECK(since_us() == lost_us);
}

TEST_CASE("an append of an atomic transaction that fails leaves nothing in the ledger") {
  LocalEngineOptions options;
  options.ledger_retention = absl::Hours(1);
  TestStore store(options);
  Transaction transaction;
  transaction.appends.push_back(MakeAppend(TestStore::Partition(), {EventElement("x")}));
  transaction.appends[0].expected_end = Offset(5);
  transaction.rows = {LedgerElement("a")};
  transaction.atomic = true;
  CHECK_FALSE(Commit(store.engine(), std::move(transaction)).appends[0].status.ok());
  CHECK(store.engine().Extent(kLedgerPartition)->end == Offset(0));
}

TEST_CASE("of many places the lowest are found, from the least on") {
  std::mt19937_64 random(11);
  for (int round = 0; round < 50; ++round) {
    std::set<IndexPlace> all;
    const IndexPlace least{PartitionId(random() % 3), Offset(static_cast<int64_t>(random() % 50))};
    const size_t most = random() % 200 + 1;
    IndexPlaces found(least, most);
    for (uint64_t i = random() % 20'000; i > 0; --i) {
      const IndexPlace place{PartitionId(random() % 3),
                             Offset(static_cast<int64_t>(random() % 500))};
      found.Add(place);
      if (place >= least) all.insert(place);
    }
    std::vector<IndexPlace> expected(all.begin(), all.end());
    const bool more = expected.size() > most;
    if (more) expected.resize(most);
    CHECK(found.Take() == expected);
    CHECK(found.cut() == more);
  }
}

// A copy of files that come and go meanwhile is none that a crash leaves.
void AwaitMerged(TestStore& store) {
  constexpr int64_t kMostRuns = 6;  // More are merged, however long that takes (rocks_options.cc).
  const auto tables = [&] {
    std::set<std::filesystem::path> names;
    for (const auto& file : std::filesystem::directory_iterator(store.path() + "/db")) {
      if (file.path().extension() == ".sst") names.insert(file.path());
    }
    return names;
  };
  REQUIRE(WaitUntil([&store] { return store.engine().SizeOfIndex().runs <= kMostRuns; },
                    absl::Seconds(30)));
  // What was merged leaves the disk soon after.
  std::set<std::filesystem::path> before;
  for (auto now = tables(); now != before; now = tables()) {
    before = std::move(now);
    absl::SleepFor(absl::Milliseconds(200));
  }
}

TEST_CASE("files of the index are merged, and nothing is lost by it") {
  TestStore store;
  Publish(store, 0, 100);
  for (int64_t i = 0; i < 100; ++i) {
    std::vector<IndexEntry> entries;
    for (uint64_t hash = 0; hash < 50; ++hash) entries.push_back(Entry(hash << 48, 0, i));
    REQUIRE_OK(store.engine().AddToIndex(entries));
  }
  for (uint64_t hash = 0; hash < 50; ++hash) {
    CHECK(Find(store, {hash << 48}).size() == 100);
  }
  AwaitMerged(store);
  store.Crash();
  for (uint64_t hash = 0; hash < 50; ++hash) {
    CHECK(Find(store, {hash << 48}).size() == 100);
  }
}

TEST_CASE("the files of an index that nothing was added to for a minute are joined to one") {
  TestStore store;
  Publish(store, 0, 10);
  const auto add = [&](uint64_t hash) {
    REQUIRE_OK(store.engine().AddToIndex({Entry(hash * kLeastHash, 0, 1)}));
  };
  const auto found = [&](uint64_t hash) { return Find(store, {hash * kLeastHash}).size(); };
  const auto maintain = [&](absl::Duration later) {
    store.clock().Advance(later);
    REQUIRE_OK(store.engine().MaintainNow());
  };
  for (const uint64_t hash : {1, 2, 3}) add(hash);
  CHECK(store.engine().SizeOfIndex().runs == 3);
  maintain(absl::Seconds(1));
  add(4);
  maintain(absl::Seconds(59));  // Since then it is quiet.
  maintain(absl::Seconds(59));
  absl::SleepFor(absl::Milliseconds(50));
  CHECK(store.engine().SizeOfIndex().runs == 4);
  maintain(absl::Seconds(1));
  CHECK(WaitUntil([&store] { return store.engine().SizeOfIndex().runs == 1; }, absl::Seconds(30)));
  for (const uint64_t hash : {1, 2, 3, 4}) CHECK(found(hash) == 1);
  store.Crash();
  CHECK(store.engine().SizeOfIndex().runs == 1);
  add(5);
  for (const uint64_t hash : {1, 2, 3, 4, 5}) CHECK(found(hash) == 1);
}

TEST_CASE("an index of which a file is missing or cut does not keep a store closed") {
  namespace fs = std::filesystem;
  enum class Damage { kMissing, kEmpty, kFooter, kDirectory };
  const Damage damage =
      GENERATE(Damage::kMissing, Damage::kEmpty, Damage::kFooter, Damage::kDirectory);
  TestStore store;
  const auto files = [&] {
    std::set<fs::path> found;
    for (const auto& file : fs::directory_iterator(store.path() + "/db")) {
      if (file.path().extension() == ".sst") found.insert(file.path());
    }
    return found;
  };
  Publish(store, 0, 10);
  const std::set<fs::path> before = files();
  for (const uint64_t hash : {1, 2, 3}) {
    REQUIRE_OK(store.engine().AddToIndex({Entry(hash * kLeastHash, 0, 1)}));
  }
  int damaged = 0;
  for (const fs::path& file : files()) {
    if (before.contains(file) || ++damaged > 2) continue;
    const auto size = static_cast<int64_t>(fs::file_size(file));
    if (damage == Damage::kMissing) fs::remove(file);
    if (damage == Damage::kEmpty) fs::resize_file(file, 0);
    // Before the footer is what says where everything is.
    if (damage == Damage::kFooter) FlipBit(file, size - 2);
    if (damage == Damage::kDirectory) FlipBit(file, size - 100);
  }
  REQUIRE(damaged == 3);
  store.Crash();
  CHECK(ReadData(store.engine(), TestStore::Partition()).value().size() == 10);
  IndexPlaces none({}, 10);
  CHECK(ReasonOf(store.engine().FindInIndex({kLeastHash}, &none)) == v1::DATA_CORRUPTED);
  store.Reopen();
  REQUIRE_OK(store.engine().DropIndex());
  for (const uint64_t hash : {1, 2, 3}) {
    REQUIRE_OK(store.engine().AddToIndex({Entry(hash * kLeastHash, 0, 1)}));
  }
  store.Reopen();
  for (const uint64_t hash : {1, 2, 3}) CHECK(Find(store, {hash * kLeastHash}).size() == 1);
}

TEST_CASE("an index of which a file cannot be read when files are joined costs one start") {
  namespace fs = std::filesystem;
  // Where it is met: when a file is put beside it, or when it is joined with others.
  const bool apart = GENERATE(false, true);
  TestStore store;
  Publish(store, 0, 10);
  const auto hash_of = [&](uint64_t number) {
    return number << (apart ? 48 : 64 - kIndexHashBits);
  };
  const auto add = [&](uint64_t number) {
    return store.engine().AddToIndex({Entry(hash_of(number), 0, 1)});
  };
  REQUIRE_OK(add(1));
  fs::path newest;
  for (const auto& file : fs::directory_iterator(store.path() + "/db")) {
    if (file.path().extension() == ".sst") newest = std::max(newest, file.path());
  }
  std::fstream table(newest, std::ios::in | std::ios::out | std::ios::binary);
  table.seekp(12);  // In its first block.
  table.put('\x7f');
  table.close();
  absl::Status added;
  for (uint64_t hash = 2; added.ok() && hash < 7; ++hash) added = add(hash);
  CHECK_THAT(store.sink().AwaitCauses()[0], Catch::Matchers::Contains("block checksum mismatch"));

  store.Crash();
  IndexPlaces none({}, 10);
  CHECK(ReasonOf(store.engine().FindInIndex({}, &none)) == v1::DATA_CORRUPTED);
  CHECK(ReasonOf(add(10)) == v1::DATA_CORRUPTED);
  CHECK(ReadData(store.engine(), TestStore::Partition()).value().size() == 10);
  store.Reopen();
  CHECK(ReasonOf(store.engine().FindInIndex({}, &none)) == v1::DATA_CORRUPTED);
  REQUIRE_OK(store.engine().DropIndex());
  for (uint64_t hash = 1; hash < 30; ++hash) REQUIRE_OK(add(hash));
  AwaitMerged(store);
  store.Reopen();
  for (uint64_t number = 1; number < 30; ++number)
    CHECK(Find(store, {hash_of(number)}).size() == 1);
  CHECK(store.sink().causes().size() == 1);
}

TEST_CASE("what many files have of many hashes is found at once") {
  constexpr int64_t kEvents = 1000;
  TestStore store;
  Publish(store, 0, kEvents);
  std::mt19937_64 random(13);
  std::vector<uint64_t> hashes;
  for (int i = 0; i < 300; ++i) hashes.push_back(random());
  std::set<IndexPlace> all;
  for (int file = 0; file < 60; ++file) {
    std::vector<IndexEntry> entries;
    for (int i = 0; i < 2000; ++i) {
      const bool wanted = random() % 100 == 0;
      const uint64_t hash = wanted ? hashes[random() % hashes.size()] : random();
      entries.push_back(Entry(hash, 0, static_cast<int64_t>(random() % kEvents)));
      if (wanted) all.insert(PlaceOf(entries.back()));
    }
    std::sort(entries.begin(), entries.end());
    REQUIRE_OK(store.engine().AddToIndex(entries));
    REQUIRE(Find(store, hashes) == std::vector<IndexPlace>(all.begin(), all.end()));
  }
  store.Reopen();
  CHECK(Find(store, hashes) == std::vector<IndexPlace>(all.begin(), all.end()));
}

}  // namespace
}  // namespace acta
