// Which write-ahead log files live, and when their names are durable.
#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "storage/layout/engine_rows.h"
#include "storage/log/witness.h"
#include "storage/rocks/store_file_system.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/held_disk.h"
#include "tests/support/hooked_disk.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

namespace fs = std::filesystem;
using Kind = DiskOperation::Kind;
using Numbers = std::set<uint64_t>;

size_t LogsIn(const std::string& data) {
  size_t logs = 0;
  for (const auto& entry : fs::directory_iterator(data + "/" + kDatabaseFolder)) {
    logs += WalNumber(entry.path().string()) >= 0 ? 1 : 0;
  }
  return logs;
}

absl::Status Publish(TestStore& store, int number) {
  const std::string data = std::to_string(number) + std::string(2000, '.');
  const Append append = MakeAppend(TestStore::Partition(), {EventElement(data)});
  return Commit(store.engine(), append, Level::kOs).status;
}

struct Listed {
  explicit Listed(const std::shared_ptr<HookedDisk>& disk) : files(disk) {
    files.SetListener([this] {
      ++told;
      return absl::OkStatus();
    });
  }
  void Make(int number) {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    REQUIRE(files.NewWritableFile(PathOf(number), {}, &file, nullptr).ok());
  }
  std::string PathOf(int number) const {
    return folder.File("00000" + std::to_string(number) + ".log");
  }

  TempDir folder;
  StoreFileSystem files;
  int told = 0;
};

// The list goes into the witness, at any moment: a start would miss a file whose name was lost.
TEST_CASE("a write-ahead log file is on the list of those that live once its name is durable") {
  const auto disk = std::make_shared<FaultyDisk>();
  Listed list(disk);
  const bool accepted = GENERATE(false, true);
  if (accepted) list.files.AcceptRecovery();
  list.Make(7);
  CHECK(list.files.live().empty());
  CHECK(list.files.wals() == Numbers{7});
  CHECK(disk->count(FaultyDisk::Fault::kSyncFolder) == 0);
  SECTION("its folder is synced") {
    REQUIRE_OK(list.files.ListNew());
    CHECK(disk->count(FaultyDisk::Fault::kSyncFolder) == 1);
    CHECK(list.files.live() == Numbers{7});
    CHECK(list.told == (accepted ? 1 : 0));
    REQUIRE_OK(list.files.ListNew());
    CHECK(disk->count(FaultyDisk::Fault::kSyncFolder) == 1);
    CHECK(list.told == (accepted ? 1 : 0));
  }
  SECTION("its folder cannot be synced") {
    disk->Fail(FaultyDisk::Fault::kSyncFolder, 1);
    CHECK_FALSE(list.files.ListNew().ok());
    CHECK(list.files.live().empty());
    CHECK(list.told == 0);
  }
  SECTION("it goes before") {
    list.files.AcceptRecovery();
    REQUIRE(list.files.DeleteFile(list.PathOf(7), {}, nullptr).ok());
    REQUIRE_OK(list.files.ListNew());
    CHECK(list.files.live().empty());
    CHECK(list.files.wals().empty());
  }
}

// Else a power cut may leave the name of the younger one alone.
TEST_CASE("the name of a log file that is not listed is durable before the next one comes") {
  const auto disk = std::make_shared<FaultyDisk>();
  Listed list(disk);
  list.files.AcceptRecovery();
  list.Make(7);
  list.Make(8);
  CHECK(disk->count(FaultyDisk::Fault::kSyncFolder) == 1);
  REQUIRE_OK(list.files.ListNew());
  CHECK(list.files.live() == Numbers{7, 8});
}

// Does something while a folder is being synced.
class BusyFolder final : public HookedDisk {
 public:
  std::function<void()> meanwhile;

 private:
  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override {
    if (call.kind == Kind::kSyncFolder && meanwhile != nullptr) std::exchange(meanwhile, nullptr)();
    return forward(call.data);
  }
};

TEST_CASE("log files that come and go while others are listed") {
  const auto disk = std::make_shared<BusyFolder>();
  Listed list(disk);
  list.files.AcceptRecovery();
  list.Make(7);
  SECTION("one that went does not come back") {
    disk->meanwhile = [&list] { REQUIRE(list.files.DeleteFile(list.PathOf(7), {}, nullptr).ok()); };
    REQUIRE_OK(list.files.ListNew());
    CHECK(list.files.live().empty());
  }
  SECTION("one that came waits for the next sync") {
    disk->meanwhile = [&list] { list.Make(8); };
    REQUIRE_OK(list.files.ListNew());
    CHECK(list.files.live() == Numbers{7});
    REQUIRE_OK(list.files.ListNew());
    CHECK(list.files.live() == Numbers{7, 8});
  }
}

bool MakesNamesDurable(const DiskCall& call) {
  const bool witness = call.Changes() && absl::EndsWith(call.path, "/witness");
  return call.kind == Kind::kSyncFolder || witness;
}

TEST_CASE("who writes does not wait for the name of a new log file") {
  const auto disk = std::make_shared<HeldDisk>(MakesNamesDurable);
  LocalEngineOptions options;
  options.file_system = disk;
  options.lazy_sync = options.witness_interval = absl::Hours(1000);
  TestStore store(options);
  store.settings().visible_at = Level::kOs;
  store.Reopen();
  disk->Hold(true);
  // Also when a check fails: the store cannot be closed before.
  const absl::Cleanup release = [&disk] { disk->Hold(false); };
  const size_t before = LogsIn(store.path());
  int events = 0;
  while (LogsIn(store.path()) == before && events < 1000) REQUIRE_OK(Publish(store, events++));
  CHECK(LogsIn(store.path()) == before + 1);
  for (int i = 0; i < 5; ++i) CHECK_OK(Publish(store, events++));
}

// Does not write the witness that forgets a log file which is still there: it is about to be
// deleted.
class KeepsLogs final : public HookedDisk {
 public:
  std::atomic<bool> refused = false;

 private:
  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override {
    const size_t name = call.path.rfind("/witness");
    if (call.kind == Kind::kOverwrite && absl::EndsWith(call.path, "/witness") && !refused) {
      refused =
          Forgets(std::string(call.path.substr(0, name)), {call.data.data(), call.data.size()});
      if (refused) return rocksdb::IOStatus::IOError("injected");
    }
    return forward(call.data);
  }

  static bool Forgets(const std::string& data, absl::string_view slot) {
    WitnessRecord record;
    uint64_t version = 0;
    REQUIRE(DecodeWitness(slot, &record, &version));
    int64_t oldest = std::numeric_limits<int64_t>::max();
    for (const auto& entry : fs::directory_iterator(data + "/" + kDatabaseFolder)) {
      const int64_t number = WalNumber(entry.path().string());
      if (number >= 0) oldest = std::min(oldest, number);
    }
    return !record.live_wals.contains(static_cast<uint64_t>(oldest));
  }
};

// The database deletes it by itself, and passes over that it could not.
TEST_CASE("a log file that goes while the witness cannot be written ends the engine") {
  const auto disk = std::make_shared<KeepsLogs>();
  TestStore store;
  store.options().file_system = disk;
  store.options().slice_age = absl::Seconds(50);
  store.settings().retention = absl::Seconds(100);
  store.Reopen();
  bool ended = false;
  for (int i = 0; i < 100 && !ended; ++i) {
    store.clock().Advance(absl::Seconds(10));
    ended = !Publish(store, i).ok() || !store.engine().MaintainNow().ok() ||
            !store.sink().causes().empty();
  }
  CHECK(disk->refused);
  REQUIRE(ended);
  const std::vector<std::string> causes = store.sink().AwaitCauses();
  CHECK_THAT(causes.front(), Catch::Matchers::Contains("witness"));
}

// Nothing is synced, and names of log files get lost: what is left is what was written first.
TEST_CASE("a power cut leaves a beginning of what was written, whatever names it takes") {
  const auto recorded = std::make_shared<FaultyDisk>();
  recorded->Record();
  const auto disk = std::make_shared<HeldDisk>(MakesTable, recorded);
  LocalEngineOptions options;
  options.file_system = disk;
  options.boot_id = "boot-1";
  options.lazy_sync = options.witness_interval = absl::Hours(1000);
  TestStore store(options);
  store.settings().visible_at = Level::kOs;
  store.Reopen();
  REQUIRE_OK(
      Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("synced")})).status);
  disk->Hold(true);
  const absl::Cleanup release = [&disk] { disk->Hold(false); };
  const size_t before = LogsIn(store.path());
  int events = 0;
  while (LogsIn(store.path()) < before + 3 && events < 1000) REQUIRE_OK(Publish(store, events++));
  REQUIRE(LogsIn(store.path()) == before + 3);

  const TempDir folder;
  std::set<size_t> lengths;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const std::string image = folder.File("image");
    const DiskLoss loss = seed % 2 == 0 ? DiskLoss::kNames : DiskLoss::kAnyNames;
    recorded->Materialize(recorded->operations(), seed, store.path(), image, loss);
    LocalEngineOptions again = store.options();
    again.file_system = nullptr;
    again.data = image;
    again.boot_id = "boot-2";
    FakeClock clock;
    RecordingFatalSink sink;
    const auto engine = LocalLogEngine::Open(again, sink, clock);
    REQUIRE_OK(engine);
    REQUIRE_OK((*engine)->OpenTopic(TestStore::kTopic, 4, store.settings()));
    const auto found = ReadData(**engine, TestStore::Partition());
    REQUIRE_OK(found);
    REQUIRE_FALSE(found->empty());
    CHECK(found->front() == "synced");
    for (size_t i = 1; i < found->size(); ++i) {
      CHECK(absl::StartsWith((*found)[i], std::to_string(i - 1) + "."));
    }
    lengths.insert(found->size());
    fs::remove_all(image);
  }
  CHECK(lengths.size() > 1);
}

}  // namespace
}  // namespace acta
