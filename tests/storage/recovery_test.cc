#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "acta/storage/v1/records.pb.h"
#include "proto/support/error.h"
#include "storage/layout/engine_rows.h"
#include "tests/support/held_disk.h"
#include "tests/support/status_matchers.h"
#include "tests/support/table_damage.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

namespace fs = std::filesystem;

// A store that was killed: its folder as it was while it ran.
class KilledStore {
 public:
  // Whether the witness has seen what was synced, or is as old as the start.
  enum class Witnessed : uint8_t { kAll, kStart };

  explicit KilledStore(int events) {
    TestStore store(LiveOptions(Witnessed::kAll));
    for (int i = 0; i < events; ++i) Publish(store, std::to_string(i));
    Kill(store, Witnessed::kAll);
  }

  // With two live write-ahead log files: in_older() events are in the older one, and kInNewer in
  // the newer one, the last of them with `last_bytes`. No table file has any of them; what the
  // topic is stands in one.
  explicit KilledStore(Witnessed witnessed, size_t last_bytes = kEventBytes) {
    const auto disk = std::make_shared<HeldDisk>(MakesTable);
    LocalEngineOptions options = LiveOptions(witnessed);
    options.file_system = disk;
    TestStore store(options);
    store.Reopen();
    disk->Hold(true);
    // Also when a check fails: the store cannot be closed before.
    const absl::Cleanup release = [&disk] { disk->Hold(false); };
    const fs::path first = DatabaseFiles(store.path(), ".log").back();
    while (DatabaseFiles(store.path(), ".log").back() == first) {
      Publish(store, Data(events_++));
      REQUIRE(events_ < 1000);
    }
    in_older_ = events_ - 1;
    while (events_ < in_older_ + kInNewer - 1) Publish(store, Data(events_++));
    Publish(store, Data(events_++, last_bytes));
    Kill(store, witnessed);
    REQUIRE(Files(".log").size() == 2);
    REQUIRE(in_older_ > kInNewer);
  }

  static constexpr int kInNewer = 10;
  // Long enough that a memtable is soon full.
  static constexpr size_t kEventBytes = 2000;
  static std::string Data(int number, size_t bytes = kEventBytes) {
    return std::to_string(number) + std::string(bytes, '.');
  }
  int events() const { return events_; }
  int in_older() const { return in_older_; }

  std::string path() const { return folder_.path() + "/copy"; }
  LocalEngineOptions Options(const std::string& boot = "boot-1") const {
    LocalEngineOptions options;
    options.data = path();
    options.boot_id = boot;
    options.ballast_bytes = 0;
    options.watermarks = {{0, 0}, {0, 0}, {0, 0}};
    return options;
  }
  absl::StatusOr<std::unique_ptr<LocalLogEngine>> Open(const LocalEngineOptions& options) {
    return LocalLogEngine::Open(options, sink_, clock_);
  }
  std::vector<fs::path> Files(const std::string& extension) const {
    return DatabaseFiles(path(), extension);
  }

 private:
  static LocalEngineOptions LiveOptions(Witnessed witnessed) {
    LocalEngineOptions options;
    options.boot_id = "boot-1";
    options.witness_interval =
        witnessed == Witnessed::kAll ? absl::Milliseconds(1) : absl::Hours(1000);
    return options;
  }
  static void Publish(TestStore& store, const std::string& data) {
    const auto result =
        Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement(data)}));
    REQUIRE_OK(result.status);
  }
  void Kill(TestStore& store, Witnessed witnessed) {
    const uint64_t last = store.engine().Stats().synced_group.value();
    // The witness follows within its interval.
    const absl::Time patience = absl::Now() + absl::Seconds(20);
    while (witnessed == Witnessed::kAll && WitnessedGroup(store.path()) < last &&
           absl::Now() < patience) {
      std::this_thread::yield();
    }
    fs::copy(store.path(), path(), fs::copy_options::recursive);
  }
  static uint64_t WitnessedGroup(const std::string& path) {
    std::ifstream in(path + "/witness", std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    uint64_t newest = 0;
    for (const size_t slot : {size_t{0}, Witness::kSlotBytes}) {
      WitnessRecord record;
      uint64_t version = 0;
      if (bytes.size() > slot &&
          DecodeWitness(absl::string_view(bytes).substr(slot, Witness::kSlotBytes), &record,
                        &version)) {
        newest = std::max(newest, record.synced_group.value());
      }
    }
    return newest;
  }

  int events_ = 0;
  int in_older_ = 0;
  TempDir folder_;
  FakeClock clock_;
  RecordingFatalSink sink_;
};

TEST_CASE("after kill -9 everything acknowledged is there and the incarnation stays") {
  KilledStore killed(100);
  const auto engine = killed.Open(killed.Options());
  REQUIRE_OK(engine);
  CHECK((*engine)->incarnation() == Incarnation(1));
  REQUIRE_OK((*engine)->OpenTopic(TestStore::kTopic, 4, {}));
  CHECK(ReadData(**engine, TestStore::Partition())->size() == 100);
}

TEST_CASE("another kernel boot after an unclean stop begins a new incarnation") {
  KilledStore killed(10);
  const auto engine = killed.Open(killed.Options("boot-2"));
  REQUIRE_OK(engine);
  CHECK((*engine)->incarnation() == Incarnation(2));
  REQUIRE_OK((*engine)->OpenTopic(TestStore::kTopic, 4, {}));
  const PartitionId partition = TestStore::Partition();
  CHECK_OK((*engine)->CheckPosition(partition, Incarnation(1), Offset(10)));
  const absl::Status cut = (*engine)->CheckPosition(partition, Incarnation(1), Offset(11));
  CHECK(ReasonOf(cut) == v1::LOG_TRUNCATED);
  CHECK(DetailsOf(cut).at("offset") == "10");
  const auto next = Commit(**engine, MakeAppend(partition, {EventElement("next")}));
  CHECK(next.incarnation == Incarnation(2));
  CHECK(next.appends.at(0).base_offset == Offset(10));
}

TEST_CASE("lives in which nothing came to a partition leave no more in its row than the last one") {
  TestStore store;
  REQUIRE_OK(
      Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("x")})).status);
  for (const char* const boot : {"boot-2", "boot-3", "boot-4"}) {
    store.options().boot_id = boot;
    store.Crash();
  }
  CHECK(store.engine().incarnation() == Incarnation(4));
  for (const int64_t events : {1, 0}) {
    const PartitionId partition = TestStore::Partition(events == 1 ? 0 : 1);
    const auto rows = store.engine().LoadRows(Family::kMeta, PartitionRow(partition));
    REQUIRE_OK(rows);
    storage::v1::PartitionRecord record;
    REQUIRE(record.ParseFromString(rows->at(0).second));
    REQUIRE(record.incarnations_size() == 1);
    CHECK(record.incarnations(0).incarnation() == 4);
    CHECK(record.incarnations(0).start_offset() == events);
    for (const uint32_t life : {1, 2, 3}) {
      const auto check = [&](int64_t offset) {
        return store.engine().CheckPosition(partition, Incarnation(life), Offset(offset));
      };
      CHECK_OK(check(events));
      CHECK(ReasonOf(check(events + 1)) == v1::LOG_TRUNCATED);
    }
  }
}

TEST_CASE("a missing WAL is refused by name, and served under a new incarnation when accepted") {
  KilledStore killed(100);
  const auto wals = killed.Files(".log");
  REQUIRE_FALSE(wals.empty());
  for (const auto& wal : wals) fs::remove(wal);
  const auto refused = killed.Open(killed.Options());
  CHECK(ReasonOf(refused.status()) == v1::DATA_LOST);
  CHECK(std::string(refused.status().message()).find("is missing") != std::string::npos);
  LocalEngineOptions accept = killed.Options();
  accept.accept_loss = true;
  const auto accepted = killed.Open(accept);
  REQUIRE_OK(accepted);
  CHECK((*accepted)->incarnation() == Incarnation(2));
}

TEST_CASE("a flipped bit in the WAL is refused, and the WAL is kept for another look") {
  KilledStore killed(100);
  const auto wals = killed.Files(".log");
  FlipBit(wals.back(), static_cast<int64_t>(WrittenBytes(wals.back()) / 2));
  CHECK(ReasonOf(killed.Open(killed.Options()).status()) == v1::DATA_LOST);
  CHECK(fs::exists(wals.back()));
  CHECK(ReasonOf(killed.Open(killed.Options()).status()) == v1::DATA_LOST);
  LocalEngineOptions accept = killed.Options();
  accept.accept_loss = true;
  const auto engine = killed.Open(accept);
  REQUIRE_OK(engine);
  REQUIRE_OK((*engine)->OpenTopic(TestStore::kTopic, 4, {}));
  const auto data = ReadData(**engine, TestStore::Partition());
  REQUIRE_OK(data);
  CHECK(data->size() < 100);
  for (size_t i = 0; i < data->size(); ++i) CHECK(data->at(i) == std::to_string(i));
}

TEST_CASE("a torn tail of synced groups is refused") {
  KilledStore killed(100);
  const auto wals = killed.Files(".log");
  fs::resize_file(wals.back(), WrittenBytes(wals.back()) - 30);
  CHECK(ReasonOf(killed.Open(killed.Options("boot-2")).status()) == v1::DATA_LOST);
}

using Witnessed = KilledStore::Witnessed;

// As a torn write leaves it: the last record is not whole. Where it was written ahead, zeros
// follow.
void TearTail(const fs::path& wal) {
  const uint64_t size = fs::file_size(wal);
  fs::resize_file(wal, WrittenBytes(wal) - 1000);
  if (GENERATE(false, true)) fs::resize_file(wal, size);
}

// What is there is the first `count` events and nothing else.
void CheckPrefix(LocalLogEngine& engine, int count) {
  REQUIRE_OK(engine.OpenTopic(TestStore::kTopic, 4, {}));
  const auto data = ReadData(engine, TestStore::Partition());
  REQUIRE_OK(data);
  REQUIRE(data->size() == static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) CHECK(data->at(i) == KilledStore::Data(i));
}

// A new life of the log that begins behind the first `count` events, and readers beyond are told.
void CheckCutAt(LocalLogEngine& engine, int count) {
  CHECK(engine.incarnation() == Incarnation(2));
  CheckPrefix(engine, count);
  const PartitionId partition = TestStore::Partition();
  CHECK_OK(engine.CheckPosition(partition, Incarnation(1), Offset(count)));
  const absl::Status cut = engine.CheckPosition(partition, Incarnation(1), Offset(count + 1));
  CHECK(ReasonOf(cut) == v1::LOG_TRUNCATED);
  CHECK(DetailsOf(cut).at("offset") == std::to_string(count));
  const auto next = Commit(engine, MakeAppend(partition, {EventElement("next")}));
  CHECK(next.incarnation == Incarnation(2));
  CHECK(next.appends.at(0).base_offset == Offset(count));
}

void CheckRefused(const absl::Status& status, const std::string& finding) {
  CHECK(ReasonOf(status) == v1::DATA_LOST);
  INFO(status.message());
  CHECK(std::string(status.message()).find(finding) != std::string::npos);
}

TEST_CASE("two live log files that are whole give back every event") {
  KilledStore killed(GENERATE(Witnessed::kAll, Witnessed::kStart));
  const auto engine = killed.Open(killed.Options());
  REQUIRE_OK(engine);
  CHECK((*engine)->incarnation() == Incarnation(1));
  CheckPrefix(**engine, killed.events());
}

TEST_CASE("a torn tail of the older of two log files is refused as a hole") {
  // The witness may be behind: what a newer file has says all the same that something is missing.
  KilledStore killed(GENERATE(Witnessed::kAll, Witnessed::kStart));
  TearTail(killed.Files(".log").front());
  for (int i = 0; i < 2; ++i) {
    CheckRefused(killed.Open(killed.Options()).status(), "a hole in the log");
    CHECK(killed.Files(".log").size() >= 2);
  }
  LocalEngineOptions accept = killed.Options();
  accept.accept_loss = true;
  const auto engine = killed.Open(accept);
  REQUIRE_OK(engine);
  CheckCutAt(**engine, killed.in_older() - 1);
}

TEST_CASE("a power cut may take the unsynced tail of the older log file: the prefix is kept") {
  KilledStore killed(Witnessed::kStart);
  TearTail(killed.Files(".log").front());
  const auto engine = killed.Open(killed.Options("boot-2"));
  REQUIRE_OK(engine);
  CheckCutAt(**engine, killed.in_older() - 1);
}

TEST_CASE("a power cut may not take what the witness saw synced in the older log file") {
  KilledStore killed(Witnessed::kAll);
  TearTail(killed.Files(".log").front());
  CheckRefused(killed.Open(killed.Options("boot-2")).status(), "was synced, but recovery ends");
}

// The witness has not been written since the start, but for its list.
TEST_CASE("the newer of two log files missing is refused") {
  KilledStore killed(Witnessed::kStart);
  fs::remove(killed.Files(".log").back());
  const std::string boot = GENERATE("boot-1", "boot-2");
  CheckRefused(killed.Open(killed.Options(boot)).status(), "is missing");
}

TEST_CASE("the older of two log files missing is refused, and its events are told as a gap") {
  KilledStore killed(GENERATE(Witnessed::kAll, Witnessed::kStart));
  fs::remove(killed.Files(".log").front());
  const std::string boot = GENERATE("boot-1", "boot-2");
  CheckRefused(killed.Open(killed.Options(boot)).status(), "is missing");
  LocalEngineOptions accept = killed.Options(boot);
  accept.accept_loss = true;
  const auto engine = killed.Open(accept);
  REQUIRE_OK(engine);
  CHECK((*engine)->incarnation() == Incarnation(2));
  REQUIRE_OK((*engine)->OpenTopic(TestStore::kTopic, 4, {}));
  const PartitionId partition = TestStore::Partition();
  const auto lost = (*engine)->Read(partition, Offset(0), 1 << 20);
  CHECK(ReasonOf(lost.status()) == v1::GAP);
  CHECK(DetailsOf(lost.status()).at("last_lost") == std::to_string(killed.in_older() - 1));
  CHECK(ReadData(**engine, partition, Offset(killed.in_older()))->size() ==
        static_cast<size_t>(KilledStore::kInNewer));
  CHECK_OK((*engine)->CheckPosition(partition, Incarnation(1), Offset(killed.events())));
  CHECK(ReasonOf((*engine)->CheckPosition(partition, Incarnation(1),
                                          Offset(killed.events() + 1))) == v1::LOG_TRUNCATED);
}

TEST_CASE("a flipped bit in either of two log files is refused as a hole") {
  KilledStore killed(GENERATE(Witnessed::kAll, Witnessed::kStart));
  const bool in_older = GENERATE(true, false);
  const fs::path wal = in_older ? killed.Files(".log").front() : killed.Files(".log").back();
  FlipBit(wal, static_cast<long>(WrittenBytes(wal) / 2));
  CheckRefused(killed.Open(killed.Options()).status(), "a hole in the log");
  LocalEngineOptions accept = killed.Options();
  accept.accept_loss = true;
  const auto engine = killed.Open(accept);
  REQUIRE_OK(engine);
  REQUIRE_OK((*engine)->OpenTopic(TestStore::kTopic, 4, {}));
  const auto count = Lag(Offset(0), (*engine)->Extent(TestStore::Partition())->end);
  CHECK(count > (in_older ? 0 : killed.in_older()));
  CHECK(count < (in_older ? killed.in_older() : killed.events()));
  CheckCutAt(**engine, static_cast<int>(count));
}

TEST_CASE("a flipped bit in synced groups is refused after a power cut too") {
  KilledStore killed(Witnessed::kAll);
  const fs::path older = killed.Files(".log").front();
  FlipBit(older, static_cast<long>(WrittenBytes(older) / 2));
  CheckRefused(killed.Open(killed.Options("boot-2")).status(), "was synced, but recovery ends");
}

TEST_CASE("a store whose accepted loss left old log files starts again") {
  KilledStore killed(Witnessed::kStart);
  TearTail(killed.Files(".log").front());
  const fs::path newer = killed.Files(".log").back();
  const fs::path saved = killed.path() + "/saved";
  fs::copy_file(newer, saved);
  LocalEngineOptions options = killed.Options();
  options.accept_loss = true;
  {
    const auto engine = killed.Open(options);
    REQUIRE_OK(engine);
  }
  // As if the process had been killed before the file was deleted, and its stop forgotten.
  fs::copy_file(saved, newer, fs::copy_options::overwrite_existing);
  options.accept_loss = false;
  CHECK_OK(killed.Open(options));
}

TEST_CASE("a torn log file that a table file is ahead of is refused") {
  LocalEngineOptions options;
  options.boot_id = "boot-1";
  options.slice_age = absl::Seconds(1);
  TestStore store(options);
  const auto publish = [&store] {
    const Append append = MakeAppend(TestStore::Partition(), {EventElement("x")});
    REQUIRE_OK(Commit(store.engine(), append).status);
  };
  publish();
  // The slice goes to a table file; rows of the idle families keep its log file alive.
  store.clock().Advance(absl::Hours(1));
  REQUIRE_OK(store.engine().MaintainNow());
  publish();
  const auto wals = DatabaseFiles(store.path(), ".log");
  REQUIRE(wals.size() >= 2);
  TempDir folder;
  options.data = folder.path() + "/copy";
  fs::copy(store.path(), options.data, fs::copy_options::recursive);
  const fs::path older = options.data + "/db/" + wals.front().filename().string();
  fs::resize_file(older, WrittenBytes(older) - 10);
  RecordingFatalSink sink;
  CheckRefused(LocalLogEngine::Open(options, sink, store.clock()).status(), "cannot be opened");
}

TEST_CASE("a torn tail of the newer of two log files ends the prefix there") {
  // A record in one piece, or over several blocks of the file, of which the first are whole.
  const bool over_blocks = GENERATE(false, true);
  KilledStore killed(Witnessed::kStart, over_blocks ? 100'000 : KilledStore::kEventBytes);
  TearTail(killed.Files(".log").back());
  const bool power_cut = GENERATE(false, true);
  const auto engine = killed.Open(killed.Options(power_cut ? "boot-2" : "boot-1"));
  REQUIRE_OK(engine);
  if (power_cut) {
    CheckCutAt(**engine, killed.events() - 1);
  } else {
    // A write that `kill -9` interrupted: nothing that was written whole is gone.
    CHECK((*engine)->incarnation() == Incarnation(1));
    CheckPrefix(**engine, killed.events() - 1);
  }
}

TEST_CASE("two engines on one folder: the second is refused") {
  TestStore store;
  RecordingFatalSink sink;
  LocalEngineOptions options;
  options.data = store.path();
  const auto second = LocalLogEngine::Open(options, sink, store.clock());
  CHECK(ReasonOf(second.status()) == v1::FOLDER_IN_USE);
}

TEST_CASE("a newer format is refused by number") {
  TestStore store;
  store.Close();
  std::ofstream(store.path() + "/FORMAT") << "acta 2\n";
  const absl::Status status = store.Open();
  CHECK(ReasonOf(status) == v1::FORMAT_TOO_NEW);
  std::ofstream(store.path() + "/FORMAT") << "acta 1\n";
  CHECK_OK(store.Open());
}

TEST_CASE("a data folder that is a file is refused by name") {
  TempDir folder;
  std::ofstream(folder.File("file")) << "not a folder";
  RecordingFatalSink sink;
  FakeClock clock;
  LocalEngineOptions options;
  options.data = folder.File("file");
  CHECK(ReasonOf(LocalLogEngine::Open(options, sink, clock).status()) == v1::FOLDER_UNUSABLE);
}

}  // namespace
}  // namespace acta
