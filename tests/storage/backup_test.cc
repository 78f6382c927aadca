#include <rocksdb/file_system.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <set>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "proto/support/error.h"
#include "storage/log/backup_record.h"
#include "storage/log/backup_restore.h"
#include "tests/support/status_matchers.h"
#include "tests/support/table_damage.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

namespace fs = std::filesystem;

// A store, a folder for its backups, and places to restore into.
class BackupBed {
 public:
  explicit BackupBed(LocalEngineOptions options = {}) : store_(std::move(options)) {}

  TestStore& store() { return store_; }
  LocalLogEngine& engine() { return store_.engine(); }
  std::string folder() const { return room_.path() + "/backups"; }

  BackupOrder Order() const {
    BackupOrder order;
    order.folder = folder();
    return order;
  }
  BackupInfo Make() {
    const auto made = engine().Backup(Order());
    REQUIRE_OK(made.status());
    CHECK_FALSE(fs::exists(store_.path() + "/backup.cut"));
    return *made;
  }
  void Publish(const std::string& data, int32_t partition = 0) {
    const auto result =
        Commit(engine(), MakeAppend(TestStore::Partition(partition), {EventElement(data)}));
    REQUIRE_OK(result.status);
  }
  std::string New() { return room_.path() + "/restored-" + std::to_string(++restored_); }
  std::unique_ptr<TestStore> Restore(const BackupInfo& backup) {
    const std::string data = New();
    REQUIRE_OK(RestoreBackup({backup.path, data, "", nullptr}).status());
    LocalEngineOptions options;
    options.data = data;
    return std::make_unique<TestStore>(options);
  }
  // Nothing is below the folder but whole backups.
  size_t Entries() const {
    size_t entries = 0;
    for (const auto& entry : fs::directory_iterator(folder())) {
      CHECK(IsBackupId(entry.path().filename().string()));
      ++entries;
    }
    return entries;
  }

 private:
  TempDir room_;
  TestStore store_;
  int restored_ = 0;
};

std::vector<std::string> Numbers(int count) {
  std::vector<std::string> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

std::string CountRow(PartitionId partition) {
  return "test/count/" + std::to_string(partition.value());
}

// Publishes a number together with a row that says how many there are now.
absl::Status PublishCounted(LogEngine& engine, PartitionId partition, int number) {
  Transaction transaction;
  transaction.atomic = true;
  transaction.appends.push_back(MakeAppend(partition, {EventElement(std::to_string(number))}));
  transaction.rows.push_back({Family::kState, CountRow(partition), std::to_string(number + 1)});
  return Commit(engine, std::move(transaction)).status;
}

// All numbers up to some are there, and the row says so; answers how many.
int CheckCounted(const LogEngine& engine, PartitionId partition) {
  const auto data = ReadData(engine, partition);
  REQUIRE_OK(data.status());
  const int count = static_cast<int>(data->size());
  CHECK(*data == Numbers(count));
  const auto rows = engine.LoadRows(Family::kState, CountRow(partition));
  REQUIRE_OK(rows.status());
  CHECK((rows->empty() ? "0" : rows->front().second) == std::to_string(count));
  return count;
}

// Publishes its numbers one after the other.
class Writer {
 public:
  Writer(LogEngine& engine, int32_t partition)
      : engine_(engine),
        partition_(TestStore::Partition(partition)),
        thread_([this] { Write(); }) {}
  ~Writer() {
    stop_ = true;
    thread_.join();
  }
  int acknowledged() const { return acknowledged_; }

 private:
  void Write() {
    for (int number = 0; !stop_; ++number) {
      if (!PublishCounted(engine_, partition_, number).ok()) return;
      acknowledged_ = number + 1;
    }
  }

  LogEngine& engine_;
  const PartitionId partition_;
  std::atomic<bool> stop_{false};
  std::atomic<int> acknowledged_{0};
  std::thread thread_;
};

}  // namespace

TEST_CASE("a backup made while slices come and go and everybody writes shows one moment",
          "[backup]") {
  LocalEngineOptions options;
  options.slice_age = absl::Seconds(50);
  BackupBed bed(options);
  std::atomic<bool> stop{false};
  std::vector<std::pair<BackupInfo, std::vector<int>>> made;
  int slices = 0;
  {
    Writer first(bed.engine(), 0), second(bed.engine(), 1);
    std::thread rotation([&] {
      while (!stop && slices < 80) {
        bed.store().clock().Advance(absl::Seconds(60));
        if (bed.engine().MaintainNow().ok()) ++slices;
      }
    });
    const absl::Cleanup end = [&] {
      stop = true;
      rotation.join();
    };
    for (int i = 0; i < 8; ++i) {
      const std::vector<int> acknowledged = {first.acknowledged(), second.acknowledged()};
      made.emplace_back(bed.Make(), acknowledged);
    }
  }
  CHECK(slices > 3);
  for (const auto& [backup, acknowledged] : made) {
    INFO(backup.id);
    const auto restored = bed.Restore(backup);
    for (int32_t number = 0; number < 2; ++number) {
      CHECK(CheckCounted(restored->engine(), TestStore::Partition(number)) >=
            acknowledged[static_cast<size_t>(number)]);
    }
  }
}

namespace {

// Runs something while the database lists its log files: when a cut is made, that is behind its
// look at the families and before the end of the log is known.
class ListedDisk final : public rocksdb::FileSystemWrapper {
 public:
  ListedDisk() : FileSystemWrapper(FileSystem::Default()) {}
  const char* Name() const override { return "listed_disk"; }

  void SetNext(std::function<void()> run) {
    MutexLock lock(mu_);
    next_ = std::move(run);
  }
  rocksdb::IOStatus GetChildren(const std::string& folder, const rocksdb::IOOptions& options,
                                std::vector<std::string>* children,
                                rocksdb::IODebugContext* debug) override {
    std::function<void()> run;
    {
      MutexLock lock(mu_);
      run = std::exchange(next_, nullptr);
    }
    if (run) run();
    return FileSystemWrapper::GetChildren(folder, options, children, debug);
  }

 private:
  Mutex mu_;
  std::function<void()> next_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

TEST_CASE("events of a slice that comes while a backup begins are in it whole or not at all",
          "[backup]") {
  const auto disk = std::make_shared<ListedDisk>();
  LocalEngineOptions options;
  options.slice_age = absl::Seconds(50);
  options.file_system = disk;
  BackupBed bed(options);
  const PartitionId partition = TestStore::Partition();
  REQUIRE_OK(PublishCounted(bed.engine(), partition, 0));
  std::future<void> other;
  bool listed = false;
  disk->SetNext([&] {
    listed = true;
    other = std::async(std::launch::async, [&] {
      bed.store().clock().Advance(absl::Seconds(60));
      CHECK_OK(bed.engine().MaintainNow());
      CHECK_OK(PublishCounted(bed.engine(), partition, 1));
    });
    // It does not get so far while the slices stay as they are.
    other.wait_for(std::chrono::milliseconds(300));
  });
  const BackupInfo backup = bed.Make();
  REQUIRE(listed);
  other.get();
  CheckCounted(bed.Restore(backup)->engine(), partition);
  CHECK(CheckCounted(bed.Restore(bed.Make())->engine(), partition) == 2);
}

TEST_CASE("a backup shares with the one before what both have", "[backup]") {
  BackupBed bed;
  // Several tables.
  for (int i = 0; i < 300; ++i) bed.Publish(std::string(2000, 'x'));
  REQUIRE(DatabaseFiles(bed.store().path(), ".sst").size() > 2);
  const BackupInfo first = bed.Make();
  CHECK(first.added_bytes == first.bytes);
  bed.Publish("more");
  const BackupInfo second = bed.Make();
  size_t shared = 0;
  int64_t shared_bytes = 0;
  for (const fs::path& table : DatabaseFiles(second.path, ".sst")) {
    if (fs::hard_link_count(table) == 1) continue;
    ++shared;
    shared_bytes += static_cast<int64_t>(fs::file_size(table));
  }
  CHECK(shared > 2);
  CHECK(second.added_bytes == second.bytes - shared_bytes);
  // Also of a store that was made of one.
  const auto restored = bed.Restore(second);
  const auto third = restored->engine().Backup(bed.Order());
  REQUIRE_OK(third.status());
  CHECK(third->bytes - third->added_bytes >= shared_bytes);

  REQUIRE_OK(DeleteBackup(bed.folder(), first.id));
  CHECK(bed.Entries() == 2);
  const auto problems = CheckBackup(second.path, nullptr);
  REQUIRE_OK(problems.status());
  CHECK(problems->empty());
  const auto data = ReadData(bed.Restore(second)->engine(), TestStore::Partition());
  REQUIRE_OK(data.status());
  CHECK(data->size() == 301);
  CHECK(data->back() == "more");
}

TEST_CASE("a restored store has a life that no other has", "[backup]") {
  BackupBed bed;
  bed.Publish("0");
  const BackupInfo backup = bed.Make();
  bed.Publish("1");
  const Incarnation original = bed.engine().incarnation();
  const auto once = bed.Restore(backup), twice = bed.Restore(backup);
  CHECK(once->engine().incarnation() > Incarnation(original.value() + 60'000));
  CHECK(once->engine().incarnation() != twice->engine().incarnation());
  // Who has read on in the store it was made of, or in a later life of that, is told.
  for (const Incarnation life : {original, Incarnation(original.value() + 5)}) {
    const absl::Status told = once->engine().CheckPosition(TestStore::Partition(), life, Offset(2));
    CHECK(ReasonOf(told) == v1::LOG_TRUNCATED);
    CHECK(DetailsOf(told).at("offset") == "1");
    CHECK_OK(once->engine().CheckPosition(TestStore::Partition(), life, Offset(1)));
  }
  // Its next start is a plain one.
  const Incarnation life = once->engine().incarnation();
  once->Reopen();
  CHECK(once->engine().incarnation() == life);
}

TEST_CASE("the newest backup is the last, also of several in a second", "[backup]") {
  BackupBed bed;  // Its clock stands still.
  std::vector<std::string> ids;
  for (int i = 0; i < 12; ++i) {
    ids.push_back(bed.Make().id);
    const auto there = ListBackups(bed.folder());
    REQUIRE_OK(there.status());
    CHECK(there->back().id == ids.back());
    // The name of one that is gone is not given again.
    if (there->size() > 2) REQUIRE_OK(DeleteBackup(bed.folder(), there->front().id));
  }
  CHECK(std::set<std::string>(ids.begin(), ids.end()).size() == 12);
}

TEST_CASE("a backup with damage is not restored, and nothing is left", "[backup]") {
  BackupBed bed;
  for (int i = 0; i < 100; ++i) bed.Publish(std::string(2000, 'x'));
  const BackupInfo backup = bed.Make();
  fs::path hurt;
  std::string said;
  SECTION("in a table") {
    hurt = DatabaseFiles(backup.path, ".sst").front();
    FlipBit(hurt, 1000);
    said = "checksum";
  }
  SECTION("in the log") {
    hurt = DatabaseFiles(backup.path, ".log").front();
    fs::resize_file(hurt, fs::file_size(hurt) - 1);
    said = "bytes instead of";
  }
  SECTION("in the witness") {
    hurt = backup.path + "/witness";
    FlipBit(hurt, Witness::kSlotBytes + 100);
    said = "checksum";
  }
  SECTION("a file is gone") {
    hurt = DatabaseFiles(backup.path, ".sst").back();
    fs::remove(hurt);
    said = "No such file";
  }
  const auto problems = CheckBackup(backup.path, nullptr);
  REQUIRE_OK(problems.status());
  REQUIRE(problems->size() == 1);
  CHECK(absl::StrContains(problems->front(), hurt.filename().string()));
  const std::string data = bed.New();
  const auto restored = RestoreBackup({backup.path, data, "", nullptr});
  CHECK(ReasonOf(restored.status()) == v1::DATA_CORRUPTED);
  CHECK(absl::StrContains(restored.status().message(), hurt.filename().string()));
  CHECK(absl::StrContains(restored.status().message(), said));
  CHECK_FALSE(fs::exists(data));
}

TEST_CASE("a backup whose list is damaged is shown with its problem", "[backup]") {
  BackupBed bed;
  const BackupInfo backup = bed.Make();
  std::ofstream(backup.path + "/BACKUP") << "{";
  CHECK(ReasonOf(RestoreBackup({backup.path, bed.New(), "", nullptr}).status()) ==
        v1::DATA_CORRUPTED);
  const auto there = ListBackups(bed.folder());
  REQUIRE_OK(there.status());
  REQUIRE(there->size() == 1);
  CHECK(absl::StrContains(there->front().problem, "damaged"));
  // It is in nobody's way.
  const BackupInfo next = bed.Make();
  CHECK(next.added_bytes == next.bytes);
}

TEST_CASE("only an empty folder is restored into", "[backup]") {
  BackupBed bed;
  bed.Publish("0");
  const BackupInfo backup = bed.Make();
  const auto refused = [&](const std::string& data, const std::string& wal = "") {
    return ReasonOf(RestoreBackup({backup.path, data, wal, nullptr}).status());
  };
  CHECK(refused(bed.store().path()) == v1::FOLDER_IN_USE);
  const std::string other = bed.New();
  fs::create_directories(other);
  std::ofstream(other + "/mine") << "x";
  CHECK(refused(other) == v1::FOLDER_UNUSABLE);
  CHECK(refused(bed.New(), other) == v1::FOLDER_UNUSABLE);
  CHECK(fs::exists(other + "/mine"));
  const std::string empty = bed.New(), log = bed.New();
  fs::create_directories(empty + "/lost+found");
  REQUIRE_OK(RestoreBackup({backup.path, empty, log, nullptr}).status());
  CHECK_FALSE(fs::is_empty(log));
  LocalEngineOptions options;
  options.data = empty;
  options.wal_dir = log;
  TestStore restored(options);
  CHECK(*ReadData(restored.engine(), TestStore::Partition()) == Numbers(1));
  // The folder of all backups is not one of them.
  const auto several = RestoreBackup({bed.folder(), bed.New(), "", nullptr});
  CHECK(absl::StrContains(several.status().message(), backup.path));
}

TEST_CASE("nobody starts on a backup itself", "[backup]") {
  BackupBed bed;
  const BackupInfo backup = bed.Make();
  LocalEngineOptions options;
  options.data = backup.path;
  RecordingFatalSink sink;
  const FakeClock clock;
  const auto opened = LocalLogEngine::Open(options, sink, clock);
  CHECK(ReasonOf(opened.status()) == v1::FOLDER_UNUSABLE);
  CHECK(absl::StrContains(opened.status().message(), "acta-inspect restore"));
  CHECK(CheckBackup(backup.path, nullptr)->empty());
}

TEST_CASE("a backup that is given up leaves nothing", "[backup]") {
  BackupBed bed;
  for (int i = 0; i < 100; ++i) bed.Publish(std::string(2000, 'x'));
  BackupOrder order = bed.Order();
  int64_t told = 0;
  order.go_on = [&](int64_t copied, int64_t total) {
    CHECK(copied <= total);
    told = total;
    // Meanwhile nobody else makes one.
    CHECK(ReasonOf(bed.engine().Backup(bed.Order()).status()) == v1::BACKUP_RUNNING);
    return false;
  };
  CHECK(absl::IsCancelled(bed.engine().Backup(order).status()));
  CHECK(told > 0);
  CHECK(bed.Entries() == 0);
  CHECK_FALSE(fs::exists(bed.store().path() + "/backup.cut"));
  bed.Make();
}

TEST_CASE("what a killed broker left of a backup goes", "[backup]") {
  BackupBed bed;
  bed.Make();
  fs::create_directories(bed.folder() + "/.2026-01-31T02-00-00Z.unfinished/db");
  fs::create_directories(bed.folder() + "/.2026-01-31T02-00-00Z.deleted/db");
  fs::create_directories(bed.store().path() + "/backup.cut");
  bed.store().Reopen();
  CHECK_FALSE(fs::exists(bed.store().path() + "/backup.cut"));
  bed.Make();
  CHECK(bed.Entries() == 2);
}

TEST_CASE("each store has a folder of its own for its backups", "[backup]") {
  BackupBed bed;
  bed.Make();
  TestStore other;
  const auto made = other.engine().Backup(bed.Order());
  CHECK(ReasonOf(made.status()) == v1::FOLDER_UNUSABLE);
  CHECK(absl::StrContains(made.status().message(), "another store"));
  CHECK(bed.Entries() == 1);
}

TEST_CASE("a backup leaves the room that stays for events", "[backup]") {
  LocalEngineOptions options;
  BackupBed bed(options);
  bed.Publish("0");
  bed.store().options().watermarks.soft = {100, int64_t{1} << 50};
  bed.store().Close();
  const absl::Status opened = [&] {
    RecordingFatalSink sink;
    const auto engine = LocalLogEngine::Open(bed.store().options(), sink, bed.store().clock());
    return engine.ok() ? (*engine)->Backup(bed.Order()).status() : engine.status();
  }();
  CHECK(ReasonOf(opened) == v1::DISK_FULL);
  CHECK(absl::StrContains(opened.message(), "stay for events"));
  CHECK(bed.Entries() == 0);
}

TEST_CASE("names of backups", "[backup]") {
  CHECK(BackupId(absl::FromUnixSeconds(1769824800)) == "2026-01-31T02-00-00Z");
  CHECK(IsBackupId("2026-01-31T02-00-00Z"));
  CHECK(IsBackupId("2026-01-31T02-00-00Z-12"));
  for (const char* not_one : {"", "2026-01-31T02-00-00", "2026-01-31T02-00-00Z-", "../backups",
                              "2026-01-31T02-00-00Z-1/..", ".2026-01-31T02-00-00Z.deleted"}) {
    INFO(not_one);
    CHECK_FALSE(IsBackupId(not_one));
    CHECK(ReasonOf(DeleteBackup("/tmp", not_one)) == v1::BACKUP_NOT_FOUND);
  }
}

}  // namespace acta
