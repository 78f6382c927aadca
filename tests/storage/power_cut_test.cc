#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <rocksdb/file_system.h>

#include "acta/storage/v1/records.pb.h"
#include "storage/layout/engine_rows.h"
#include "storage/layout/rows.h"
#include "tests/support/disk_image.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

using Kind = DiskOperation::Kind;

std::string TextOf(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

// What all of 40 seeds leave of "/d": the names and contents of files, in order.
std::vector<std::string> LeftOf(const std::vector<DiskOperation>& operations, DiskLoss loss) {
  std::vector<std::string> seen;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    TempDir folder;
    LeaveImage(operations, seed, loss, "/d", folder.File("image"));
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder.File("image"))) {
      files.push_back(entry.path().filename().string() + "=" + TextOf(entry.path().string()));
    }
    std::sort(files.begin(), files.end());
    std::string all;
    for (const std::string& file : files) all += file + " ";
    seen.push_back(all);
  }
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  return seen;
}

std::vector<DiskOperation> NewFile(const std::string& path, const std::string& bytes) {
  return {{Kind::kCreate, path, "", 0, ""},
          {Kind::kAppend, path, "", 0, bytes},
          {Kind::kSync, path, "", 0, ""}};
}

TEST_CASE("the sync of a file keeps its name in an ordered journal, and not by POSIX") {
  std::vector<DiskOperation> operations = NewFile("/d/a", "A");
  CHECK(LeftOf(operations, DiskLoss::kTorn) == std::vector<std::string>{"a=A "});
  CHECK(LeftOf(operations, DiskLoss::kNames) == std::vector<std::string>{"", "a=A "});
  operations.push_back({Kind::kSyncFolder, "/d", "", 0, ""});
  CHECK(LeftOf(operations, DiskLoss::kNames) == std::vector<std::string>{"a=A "});
  CHECK(LeftOf(operations, DiskLoss::kAnyNames) == std::vector<std::string>{"a=A "});
}

TEST_CASE("an unsynced rename has happened or not, an unsynced deletion too") {
  std::vector<DiskOperation> operations = NewFile("/d/old", "O");
  for (const DiskOperation& operation : NewFile("/d/new", "N")) operations.push_back(operation);
  operations.push_back({Kind::kSyncFolder, "/d", "", 0, ""});
  operations.push_back({Kind::kRename, "/d/new", "/d/old", 0, ""});
  operations.push_back({Kind::kDelete, "/d/old", "", 0, ""});
  CHECK(LeftOf(operations, DiskLoss::kNames) ==
        std::vector<std::string>{"", "new=N old=O ", "old=N "});
  CHECK(LeftOf(operations, DiskLoss::kAnyNames) ==
        std::vector<std::string>{"", "new=N ", "new=N old=O ", "old=N "});
  CHECK(LeftOf(operations, DiskLoss::kNothing) == std::vector<std::string>{""});
}

TEST_CASE("what is in a folder goes with the folder's name") {
  std::vector<DiskOperation> operations = {{Kind::kMakeFolder, "/d", "", 0, ""}};
  for (const DiskOperation& operation : NewFile("/d/a", "A")) operations.push_back(operation);
  operations.push_back({Kind::kSyncFolder, "/d", "", 0, ""});
  CHECK(LeftOf(operations, DiskLoss::kNames) == std::vector<std::string>{"", "a=A "});
  operations.push_back({Kind::kSyncFolder, "/", "", 0, ""});
  CHECK(LeftOf(operations, DiskLoss::kNames) == std::vector<std::string>{"a=A "});
}

TEST_CASE("a record goes through a file, and begins with a folder that was there") {
  TempDir folder;
  std::filesystem::create_directories(folder.File("d/sub"));
  std::ofstream(folder.File("d/sub/a")) << "A";
  std::vector<DiskOperation> made = OperationsThatMake(folder.File("d"));
  MoveOperations(folder.File("d"), "/d", &made);
  REQUIRE(SaveOperations(made, folder.File("record")));
  std::vector<DiskOperation> loaded;
  REQUIRE(LoadOperations(folder.File("record"), &loaded));
  REQUIRE(loaded.size() == made.size());
  for (uint64_t seed = 0; seed < 10; ++seed) {
    LeaveImage(loaded, seed, DiskLoss::kAnyNames, "/d", folder.File("image"));
    CHECK(TextOf(folder.File("image/sub/a")) == "A");
    std::filesystem::remove_all(folder.File("image"));
  }
}

LocalEngineOptions OptionsIn(const std::string& root, bool own_log_folder) {
  LocalEngineOptions options;
  options.data = root + "/data";
  if (own_log_folder) options.wal_dir = root + "/log";
  options.ballast_bytes = 0;
  options.watermarks = {{0, 0}, {0, 0}, {0, 0}};
  options.witness_interval = options.maintenance_interval = absl::Hours(1);
  return options;
}

// The engine keeps only events of topics that have a record.
absl::Status NoteTopic(LogEngine& engine) {
  storage::v1::TopicRecord record;
  record.set_topic_id(TestStore::kTopic.value());
  record.mutable_topic()->set_partitions(4);
  Transaction transaction;
  transaction.rows.push_back(
      {Family::kMeta, std::string(kTopicRows) + "default/test", record.SerializeAsString()});
  return Commit(engine, std::move(transaction)).status;
}

absl::StatusOr<std::vector<std::string>> ReadStore(const LocalEngineOptions& options) {
  FakeClock clock;
  RecordingFatalSink sink;
  const auto engine = LocalLogEngine::Open(options, sink, clock);
  if (!engine.ok()) return engine.status();
  const absl::Status opened = (*engine)->OpenTopic(TestStore::kTopic, 4, {});
  if (!opened.ok()) return opened;
  return ReadData(**engine, TestStore::Partition());
}

// Goal: an acknowledged event never depends on a name nobody synced. Method: the folders of the
// store are new, or (`there`) were made by somebody who was killed before syncing them.
TEST_CASE("a power cut takes every unsynced name, and no acknowledged event") {
  const bool own_log_folder = GENERATE(false, true);
  const bool there = GENERATE(false, true);
  TempDir folder;
  const std::string root = folder.File("root");
  const auto disk = std::make_shared<FaultyDisk>();
  disk->Record();
  LocalEngineOptions options = OptionsIn(root, own_log_folder);
  options.file_system = disk;
  if (there) {
    std::filesystem::create_directory(root);
    for (const std::string& made : {options.data, root + "/log"}) {
      REQUIRE(disk->CreateDirIfMissing(made, rocksdb::IOOptions(), nullptr).ok());
    }
  }
  FakeClock clock;
  RecordingFatalSink sink;
  const auto engine = LocalLogEngine::Open(options, sink, clock);
  REQUIRE_OK(engine);
  REQUIRE_OK(NoteTopic(**engine));
  REQUIRE_OK((*engine)->OpenTopic(TestStore::kTopic, 4, {}));
  REQUIRE_OK(Commit(**engine, MakeAppend(TestStore::Partition(), {EventElement("kept")})).status);
  const size_t cut = disk->operations();
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const DiskLoss loss = seed % 2 == 0 ? DiskLoss::kNames : DiskLoss::kAnyNames;
    const std::string image = folder.File("image");
    disk->Materialize(cut, seed, root, image, loss);
    LocalEngineOptions again = OptionsIn(image, own_log_folder);
    again.boot_id = "another";
    const auto found = ReadStore(again);
    REQUIRE_OK(found);
    CHECK(*found == std::vector<std::string>{"kept"});
    std::filesystem::remove_all(image);
  }
}

// Goal: the database opens whatever order the names of its folder became durable in. Method: at
// every moment between the rename of CURRENT and the next sync, any of the unsynced names is gone.
TEST_CASE("CURRENT names a MANIFEST that is there, in whatever order names became durable") {
  TempDir folder;
  const auto disk = std::make_shared<FaultyDisk>();
  disk->Record();
  LocalEngineOptions options = OptionsIn(folder.File("root"), false);
  options.file_system = disk;
  for (int start = 0; start < 2; ++start) REQUIRE_OK(ReadStore(options));
  int renames = 0;
  const std::vector<DiskOperation> record = disk->record(disk->operations());
  for (size_t i = 0; i < record.size(); ++i) {
    if (record[i].kind != Kind::kRename || !record[i].other.ends_with("/CURRENT")) continue;
    ++renames;
    for (uint64_t seed = 0; seed < 12; ++seed) {
      const std::string image = folder.File("image");
      disk->Materialize(i + 1, seed, folder.File("root"), image, DiskLoss::kAnyNames);
      const std::string database = image + "/data/" + kDatabaseFolder;
      std::string manifest = TextOf(database + "/CURRENT");
      if (manifest.ends_with('\n')) manifest.pop_back();
      CHECK(std::filesystem::exists(database + "/" + manifest));
      std::filesystem::remove_all(image);
    }
  }
  CHECK(renames >= 2);
}

}  // namespace
}  // namespace acta
