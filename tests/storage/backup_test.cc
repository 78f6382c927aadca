#include <rocksdb/file_system.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "proto/support/error.h"
#include "tests/storage/backup_bed.h"
#include "tests/support/table_damage.h"

namespace acta {
namespace {

namespace fs = std::filesystem;

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
  std::atomic<int> slices{0};
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
    for (int i = 0; i < 8 || (slices <= 3 && i < 100); ++i) {
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
  std::future<absl::Status> other;  // Only this thread may check.
  bool listed = false;
  disk->SetNext([&] {
    listed = true;
    other = std::async(std::launch::async, [&] {
      bed.store().clock().Advance(absl::Seconds(60));
      const absl::Status rotated = bed.engine().MaintainNow();
      return rotated.ok() ? PublishCounted(bed.engine(), partition, 1) : rotated;
    });
    // It does not get so far while the slices stay as they are.
    other.wait_for(std::chrono::milliseconds(300));
  });
  const BackupInfo backup = bed.Make();
  REQUIRE(listed);
  CHECK_OK(other.get());
  CheckCounted(bed.Restore(backup)->engine(), partition);
  CHECK(CheckCounted(bed.Restore(bed.Make())->engine(), partition) == 2);
}

TEST_CASE("a row that says what the index has is in a backup with that, or not at all",
          "[backup]") {
  const auto disk = std::make_shared<ListedDisk>();
  LocalEngineOptions options;
  options.file_system = disk;
  BackupBed bed(options);
  const PartitionId partition = TestStore::Partition();
  bed.Publish("0");
  const uint64_t hash = IndexedHash(77);
  const auto add = [&] {
    const IndexEntry entry{hash, partition, Offset(0)};
    const absl::Status added = bed.engine().AddToIndex({&entry, 1});
    Transaction row;
    row.rows.push_back({Family::kState, "test/indexed", "1"});
    return added.ok() ? Commit(bed.engine(), std::move(row)).status : added;
  };
  std::future<absl::Status> other;  // Only this thread may check.
  disk->SetNext([&] {
    other = std::async(std::launch::async, add);
    other.wait_for(std::chrono::milliseconds(300));
  });
  // The index is there before: what comes is a file of it.
  const IndexEntry before{IndexedHash(1), partition, Offset(0)};
  CHECK_OK(bed.engine().AddToIndex({&before, 1}));
  const BackupInfo backup = bed.Make();
  CHECK_OK(other.get());
  for (const BackupInfo& one : {backup, bed.Make()}) {
    const auto restored = bed.Restore(one);
    const auto rows = restored->engine().LoadRows(Family::kState, "test/indexed");
    REQUIRE_OK(rows.status());
    IndexPlaces places(IndexPlace(), 10);
    CHECK_OK(restored->engine().FindInIndex({hash}, &places));
    CHECK(places.Take().size() >= rows->size());
  }
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
  CHECK_OK(SweepBackups({bed.folder(), 0, nullptr}));
  CHECK(bed.Entries() == 2);
  const auto problems = CheckBackup(second.path, nullptr);
  REQUIRE_OK(problems.status());
  CHECK(problems->empty());
  const auto data = ReadData(bed.Restore(second)->engine(), TestStore::Partition());
  REQUIRE_OK(data.status());
  CHECK(data->size() == 301);
  CHECK(data->back() == "more");
}

TEST_CASE("a store with its log elsewhere is backed up", "[backup]") {
  const TempDir log;
  LocalEngineOptions options;
  options.wal_dir = log.path() + "/log";
  BackupBed bed(options);
  for (int i = 0; i < 100; ++i) bed.Publish(std::to_string(i));
  const BackupInfo backup = bed.Make();
  CHECK_FALSE(fs::exists(options.wal_dir + "/backup.cut"));
  CHECK(*ReadData(bed.Restore(backup)->engine(), TestStore::Partition()) == Numbers(100));
}

TEST_CASE("a backup keeps its rate, and is given up at once all the same", "[backup]") {
  BackupBed bed;
  for (int i = 0; i < 1000; ++i) bed.Publish(std::string(2000, 'x'));
  BackupOrder order = bed.Order();
  order.bytes_per_second = 4 << 20;
  const auto begin = std::chrono::steady_clock::now();
  const auto made = bed.engine().Backup(order);
  REQUIRE_OK(made.status());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  CHECK(took.count() > static_cast<double>(made->added_bytes) / (4 << 20) * 0.9 - 0.3);
  // A MiB is a week's work.
  order.bytes_per_second = 1;
  std::atomic<bool> copying{false};
  order.go_on = [&](int64_t copied, int64_t) { return copied == 0 || !copying.exchange(true); };
  CHECK(absl::IsCancelled(bed.engine().Backup(order).status()));
  CHECK_OK(SweepBackups({bed.folder(), 0, nullptr}));
  CHECK(bed.Entries() == 1);
}

TEST_CASE("a backup that is given up leaves nothing but to the next sweep", "[backup]") {
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
  CHECK_OK(SweepBackups({bed.folder(), 0, nullptr}));
  CHECK(bed.Entries() == 0);
  CHECK_FALSE(fs::exists(bed.store().path() + "/backup.cut"));
  bed.Make();
}

}  // namespace acta
