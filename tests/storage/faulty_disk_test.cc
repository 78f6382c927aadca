#include "tests/support/faulty_disk.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>

#include "absl/strings/match.h"
#include "proto/support/error.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

TEST_CASE("a failed sync is never acknowledged and ends the engine") {
  const auto disk = std::make_shared<FaultyDisk>();
  LocalEngineOptions options;
  options.file_system = disk;
  options.witness_interval = absl::Hours(1);
  TestStore store(options);
  REQUIRE_OK(
      Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("ok")})).status);
  CHECK_FALSE(disk->failed().has_value());
  disk->Fail(FaultyDisk::Fault::kSync, 1);
  const auto doubt =
      Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("doubt")}));
  CHECK(ReasonOf(doubt.status) == v1::OUTCOME_UNKNOWN);
  REQUIRE(disk->failed().has_value());
  CHECK(disk->failed()->kind == FaultyDisk::Kind::kSync);
  CHECK(absl::EndsWith(disk->failed()->path, ".log"));
  CHECK(store.sink().AwaitCauses().size() == 1);
  const auto later =
      Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("later")}));
  CHECK(ReasonOf(later.status) == v1::OUTCOME_UNKNOWN);
}

// Knows how many of the calls were answered when the daemon would have ended.
class LastWords final : public FatalSink {
 public:
  void Fatal(absl::string_view) override {
    MutexLock lock(mu_);
    answered_before_ = answered_;
    told_.SignalAll();
  }
  void Answered(const TransactionResult& result) {
    MutexLock lock(mu_);
    ++answered_;
    unknown_ += ReasonOf(result.status) == v1::OUTCOME_UNKNOWN && result.appends.empty();
  }
  int AwaitFatal() {
    MutexLock lock(mu_);
    while (!answered_before_.has_value()) told_.Wait(mu_);
    return *answered_before_;
  }
  int unknown() {
    MutexLock lock(mu_);
    return unknown_;
  }

 private:
  Mutex mu_;
  CondVar told_;
  int answered_ ABSL_GUARDED_BY(mu_) = 0;
  int unknown_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<int> answered_before_ ABSL_GUARDED_BY(mu_);
};

TEST_CASE("what waits is answered OUTCOME_UNKNOWN before the engine ends, and nothing is retried") {
  const bool write_fails = GENERATE(false, true);
  TempDir folder;
  FakeClock clock;
  LastWords sink;
  const auto disk = std::make_shared<FaultyDisk>();
  LocalEngineOptions options;
  options.data = folder.File("data");
  options.file_system = disk;
  options.ballast_bytes = 0;
  options.watermarks = {{0, 0}, {0, 0}, {0, 0}};
  options.witness_interval = options.maintenance_interval = absl::Hours(1);
  const auto engine = LocalLogEngine::Open(options, sink, clock);
  REQUIRE_OK(engine);
  REQUIRE_OK((*engine)->OpenTopic(TestStore::kTopic, 4, {}));
  if (write_fails) {
    disk->Fail(FaultyDisk::Fault::kWrite, 3);
  } else {
    disk->Fail(FaultyDisk::Fault::kSync, 1);
  }
  int accepted = 0;
  for (int i = 0; i < 200; ++i) {
    Transaction transaction;
    // Too large to be written by this thread: they queue up.
    transaction.appends = {
        MakeAppend(TestStore::Partition(i % 4), {EventElement(std::string(20'000, 'x'))})};
    transaction.done = [&sink](const TransactionResult& result) { sink.Answered(result); };
    const absl::Status submitted = (*engine)->Submit(std::move(transaction));
    if (!submitted.ok()) CHECK(ReasonOf(submitted) == v1::OUTCOME_UNKNOWN);
    accepted += submitted.ok();
  }
  CHECK(sink.AwaitFatal() == accepted);
  if (!write_fails) CHECK(sink.unknown() == accepted);
  CHECK(sink.unknown() > 0);
  const int64_t syncs = disk->count(FaultyDisk::Fault::kSync);
  const auto later = Commit(**engine, MakeAppend(TestStore::Partition(), {EventElement("later")}));
  CHECK(ReasonOf(later.status) == v1::OUTCOME_UNKNOWN);
  (*engine)->Stop();
  CHECK(disk->count(FaultyDisk::Fault::kSync) == syncs);
}

// Takes no table files.
class NoTables final : public HookedDisk {
  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override {
    const bool table =
        call.kind == DiskOperation::Kind::kCreate && absl::EndsWith(call.path, ".sst");
    return table ? rocksdb::IOStatus::IOError("injected: no table file") : forward(call.data);
  }
};

TEST_CASE("a failed background job ends the engine and is named") {
  LocalEngineOptions options;
  options.file_system = std::make_shared<NoTables>();
  TestStore store(options);
  absl::Status status;
  for (int i = 0; i < 1000 && status.ok(); ++i) {
    const Append append =
        MakeAppend(TestStore::Partition(), {EventElement(std::string(10'000, 'x'))});
    status = Commit(store.engine(), append).status;
  }
  CHECK(ReasonOf(status) == v1::OUTCOME_UNKNOWN);
  const auto causes = store.sink().AwaitCauses();
  REQUIRE(causes.size() == 1);
  CHECK(causes[0].find("background error in flush: ") != std::string::npos);
  CHECK(causes[0].find("no table file") != std::string::npos);
}

// Has room for everything but table files, until it has for them too.
class NoRoomForTables final : public HookedDisk {
 public:
  void MakeRoom() { full_ = false; }
  int begun() const { return begun_; }

 private:
  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override {
    if (!absl::EndsWith(call.path, ".sst")) return forward(call.data);
    begun_ += call.kind == DiskOperation::Kind::kCreate;
    const bool refused = full_ && call.kind == DiskOperation::Kind::kAppend;
    return refused ? rocksdb::IOStatus::NoSpace("injected: no space") : forward(call.data);
  }

  std::atomic<bool> full_ = true;
  std::atomic<int> begun_ = 0;
};

TEST_CASE("a flush without room ends the engine, is not tried again, and loses nothing") {
  const auto disk = std::make_shared<NoRoomForTables>();
  LocalEngineOptions options;
  options.file_system = disk;
  TestStore store(options);
  const Append append =
      MakeAppend(TestStore::Partition(), {EventElement(std::string(10'000, 'x'))});
  size_t acknowledged = 0;
  absl::Status status;
  for (int i = 0; i < 1000 && status.ok(); ++i) {
    status = Commit(store.engine(), append).status;
    acknowledged += status.ok();
  }
  CHECK(ReasonOf(status) == v1::OUTCOME_UNKNOWN);
  const auto causes = store.sink().AwaitCauses();
  REQUIRE(causes.size() == 1);
  CHECK(absl::StrContains(causes[0], "background error in flush: "));
  CHECK(absl::StrContains(causes[0], "no space"));
  disk->MakeRoom();
  CHECK(ReasonOf(Commit(store.engine(), append).status) == v1::OUTCOME_UNKNOWN);
  // The database would wait for room and go on behind the back of who gave up.
  CHECK(disk->begun() == 1);
  store.Crash();
  const size_t stored = ReadData(store.engine(), TestStore::Partition())->size();
  CHECK(stored >= acknowledged);
  CHECK(stored <= acknowledged + 1);
  REQUIRE_OK(Commit(store.engine(), append).status);
  CHECK(disk->begun() > 1);
}

TEST_CASE("a failed write is never acknowledged and ends the engine") {
  const auto disk = std::make_shared<FaultyDisk>();
  LocalEngineOptions options;
  options.file_system = disk;
  options.witness_interval = absl::Hours(1);
  TestStore store(options);
  REQUIRE_OK(
      Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("ok")})).status);
  disk->Fail(FaultyDisk::Fault::kWrite, 1);
  const auto level = GENERATE(Level::kOs, Level::kFsync);
  const auto doubt =
      Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("doubt")}), level);
  CHECK(ReasonOf(doubt.status) == v1::OUTCOME_UNKNOWN);
  CHECK(store.sink().AwaitCauses().size() == 1);
}

// A closed store with 100 events that a start has to write into table files.
void FillAndClose(TestStore& store) {
  for (int i = 0; i < 100; ++i) {
    REQUIRE_OK(
        Commit(store.engine(), MakeAppend(TestStore::Partition(), {EventElement("kept")})).status);
  }
  store.Close();
}

TEST_CASE("a start on a full disk takes the room of the ballast") {
  const auto disk = std::make_shared<FaultyDisk>();
  LocalEngineOptions options;
  options.file_system = disk;
  TestStore store(options);
  FillAndClose(store);
  store.options().ballast_bytes = 1 << 20;
  store.Reopen();
  const std::string ballast = store.path() + "/ballast";
  CHECK(std::filesystem::file_size(ballast) == 1 << 20);
  store.Close();
  store.options().ballast_bytes = 0;  // Not made again: it can be seen to be gone.
  disk->FullWhile(ballast);
  REQUIRE_OK(store.Open());
  CHECK_FALSE(std::filesystem::exists(ballast));
  CHECK(ReadData(store.engine(), TestStore::Partition())->size() == 100);
  CHECK(store.sink().causes().empty());
}

TEST_CASE("the ballast is as large as is wanted now, and gone when none is") {
  TestStore store;
  const std::string ballast = store.path() + "/ballast";
  for (const int64_t bytes : {2 << 20, 1 << 20, 0}) {
    store.options().ballast_bytes = bytes;
    store.Reopen();
    const bool there = std::filesystem::exists(ballast);
    CHECK((there ? static_cast<int64_t>(std::filesystem::file_size(ballast)) : 0) == bytes);
    CHECK(there == (bytes > 0));
  }
}

TEST_CASE("no ballast is made of what the disk has below its last watermark; one there stays") {
  TestStore store;
  const std::string ballast = store.path() + "/ballast";
  store.Close();
  const auto start_and_stop = [&store](const Watermark& hard) {
    LocalEngineOptions with = store.options();
    with.ballast_bytes = 1 << 20;
    with.watermarks.hard = hard;
    REQUIRE_OK(LocalLogEngine::Open(with, store.sink(), store.clock()).status());
  };
  constexpr Watermark kAllOfIt{100, INT64_MAX};
  start_and_stop(kAllOfIt);
  CHECK_FALSE(std::filesystem::exists(ballast));
  // As between the two steps of making it.
  std::ofstream(ballast).close();
  std::filesystem::resize_file(ballast, 1 << 20);
  start_and_stop({0, 0});
  struct stat file {};
  REQUIRE(stat(ballast.c_str(), &file) == 0);
  CHECK(file.st_size == 1 << 20);
  CHECK(file.st_blocks * 512 >= 1 << 20);
  start_and_stop(kAllOfIt);
  CHECK(std::filesystem::exists(ballast));
}

TEST_CASE("a start on a full disk without a ballast is refused, and loses nothing") {
  const auto disk = std::make_shared<FaultyDisk>();
  LocalEngineOptions options;
  options.file_system = disk;
  TestStore store(options);
  FillAndClose(store);
  const std::string other = store.path() + "/other";
  std::ofstream(other) << "somebody else's bytes";
  disk->FullWhile(other);
  const absl::Status refused = store.Open();
  CHECK(ReasonOf(refused) == v1::DISK_FULL);
  CHECK(std::string(refused.message()).find("no space") != std::string::npos);
  CHECK(store.sink().causes().empty());
  std::filesystem::remove(other);
  REQUIRE_OK(store.Open());
  CHECK(ReadData(store.engine(), TestStore::Partition())->size() == 100);
}

// Has no room for what is added to log files.
class NoRoomForLogs final : public HookedDisk {
  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override {
    const bool log = call.kind == DiskOperation::Kind::kAppend && absl::EndsWith(call.path, ".log");
    return log ? rocksdb::IOStatus::NoSpace("injected: no space") : forward(call.data);
  }
};

TEST_CASE("a start that finds the disk full is told so and not of damage, wherever it is") {
  TempDir folder;
  LocalEngineOptions options;
  options.data = folder.path() + "/data";
  SECTION("in a new folder") {
    const auto disk = std::make_shared<FaultyDisk>();
    std::ofstream(folder.File("other")) << "somebody else's bytes";
    disk->FullWhile(folder.File("other"));
    options.file_system = disk;
  }
  SECTION("with the database open") { options.file_system = std::make_shared<NoRoomForLogs>(); }
  RecordingFatalSink sink;
  FakeClock clock;
  const absl::Status refused = LocalLogEngine::Open(options, sink, clock).status();
  INFO(refused.message());
  CHECK(ReasonOf(refused) == v1::DISK_FULL);
  CHECK(absl::StrContains(refused.message(), "free disk"));
  CHECK_FALSE(absl::StrContains(refused.message(), "backup"));
}

}  // namespace
}  // namespace acta
