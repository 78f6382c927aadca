#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

#include "proto/support/error.h"
#include "tests/support/status_matchers.h"
#include "tests/support/table_damage.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

namespace fs = std::filesystem;

// A store that was killed: its folder as it was while it ran.
class KilledStore {
 public:
  explicit KilledStore(int events) {
    LocalEngineOptions options;
    options.boot_id = "boot-1";
    options.witness_interval = absl::Milliseconds(1);
    TestStore store(options);
    for (int i = 0; i < events; ++i) {
      const auto result = Commit(
          store.engine(), MakeAppend(TestStore::Partition(), {EventElement(std::to_string(i))}));
      REQUIRE_OK(result.status);
    }
    const GroupNumber last = store.engine().Stats().synced_group;
    // The witness follows within its interval.
    for (int i = 0; i < 1000 && Witnessed(store.path()) < last.value(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    fs::copy(store.path(), path(), fs::copy_options::recursive);
  }

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
  static uint64_t Witnessed(const std::string& path) {
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
  FlipBit(wals.back(), static_cast<int64_t>(fs::file_size(wals.back()) / 2));
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
  fs::resize_file(wals.back(), fs::file_size(wals.back()) - 30);
  CHECK(ReasonOf(killed.Open(killed.Options("boot-2")).status()) == v1::DATA_LOST);
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
