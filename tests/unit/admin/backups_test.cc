#include "server/core/admin/backups.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "tests/support/memory_log_engine.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace acta {
namespace {

void PutBackup(const std::string& path, absl::Time time) {
  std::filesystem::create_directories(path);
  std::ofstream(path + "/BACKUP") << absl::StrCat(
      R"({"store_id": "s", "time_us": )", absl::ToUnixMicros(time),
      R"(, "files": [{"name": "FORMAT", "bytes": 7}]})");
}

// Makes empty backups, when it is let.
class BackupEngine final : public MemoryLogEngine, public BackupSource {
 public:
  BackupSource* backup_source() override { return this; }

  absl::StatusOr<BackupInfo> Backup(const BackupOrder& order) override {
    MutexLock lock(mu_);
    ++begun_;
    changed_.SignalAll();
    for (int64_t copied = 0; held_; ++copied) {
      if (!order.go_on(copied, 1'000'000)) return absl::CancelledError("given up");
      changed_.WaitFor(mu_, absl::Milliseconds(1));
    }
    order.go_on(10, 10);
    if (!answer_.ok()) return answer_;
    BackupInfo made;
    made.id = absl::StrCat("2026-01-31T02-00-0", begun_, "Z");
    made.path = order.folder + "/" + made.id;
    made.time = absl::FromUnixSeconds(1'000'000 + begun_);
    PutBackup(made.path, made.time);
    return made;
  }
  void Hold(bool held) {
    MutexLock lock(mu_);
    held_ = held;
    changed_.SignalAll();
  }
  void Answer(absl::Status answer) {
    MutexLock lock(mu_);
    answer_ = std::move(answer);
  }

 private:
  Mutex mu_;
  CondVar changed_;
  bool held_ ABSL_GUARDED_BY(mu_) = false;
  int begun_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status answer_ ABSL_GUARDED_BY(mu_);
};

class BackupRoom {
 public:
  BackupRoom() : backups(engine, Options()) {}

  BackupOptions Options(int32_t keep = 0) const { return {folder.path() + "/backups", 0, keep}; }
  v1::BackupRun AwaitEnd() {
    for (;;) {
      const auto listed = backups.List();
      REQUIRE_OK(listed.status());
      if (listed->last_run().state() != v1::BACKUP_STATE_RUNNING) return listed->last_run();
      std::this_thread::yield();
    }
  }
  std::vector<std::string> Ids() const {
    const auto listed = backups.List();
    REQUIRE_OK(listed.status());
    std::vector<std::string> ids;
    for (const v1::Backup& backup : listed->backups()) ids.push_back(backup.id());
    return ids;
  }
  void Make() {
    REQUIRE_OK(backups.Start(caller).status());
    REQUIRE(AwaitEnd().state() == v1::BACKUP_STATE_DONE);
  }

  TempDir folder;
  BackupEngine engine;
  Caller caller;
  Backups backups;
};

// Within a minute, by itself.
bool Goes(const std::string& path) {
  for (int i = 0; i < 60'000 && std::filesystem::exists(path); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return !std::filesystem::exists(path);
}

}  // namespace

TEST_CASE("without a folder, or on an engine that makes none, there are no backups", "[admin]") {
  BackupEngine engine;
  Backups off(engine, {});
  CHECK(ReasonOf(off.Start({}).status()) == v1::BACKUP_OFF);
  CHECK(ReasonOf(off.List().status()) == v1::BACKUP_OFF);
  CHECK(ReasonOf(off.Delete({}, {}).status()) == v1::BACKUP_OFF);
  MemoryLogEngine memory;
  Backups none(memory, {"/tmp", 0, 0});
  CHECK(ReasonOf(none.Start({}).status()) == v1::BACKUP_OFF);
}

TEST_CASE("files of deleted backups go by themselves, and nobody waits for them", "[admin]") {
  namespace fs = std::filesystem;
  const TempDir room;
  const std::string deleted = room.path() + "/.2026-01-31T02-00-00Z.deleted";
  fs::create_directories(deleted + "/db");
  constexpr size_t kBytes = 1'000'000;
  for (const char* name : {"a", "b"}) {
    std::ofstream(deleted + "/db/" + name) << std::string(kBytes, 'x');
  }
  const auto left = [&deleted] {
    return fs::exists(deleted + "/db/a") + fs::exists(deleted + "/db/b");
  };
  BackupEngine engine;
  {
    // At this rate the second is due a quarter of a minute behind the first.
    Backups backups(engine, {room.path(), 0, 0, /*deletion_bytes_per_second=*/1});
    for (int i = 0; i < 60'000 && left() == 2; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    backups.End();
    CHECK(left() == 1);
  }
  Backups backups(engine, {room.path(), 0, 0, kBytes * 1'000});
  CHECK(Goes(deleted));
}

TEST_CASE("files of a backup that failed go by themselves", "[admin]") {
  namespace fs = std::filesystem;
  const TempDir room;
  const std::string deleted = room.path() + "/.2026-01-31T02-00-00Z.deleted";
  fs::create_directories(deleted);
  BackupEngine engine;
  Backups backups(engine, {room.path()});
  REQUIRE(Goes(deleted));  // The sweep of the start has looked at what there is.
  fs::create_directories(deleted + "/db");
  engine.Answer(Error(v1::DISK_FULL, "no room"));
  REQUIRE_OK(backups.Start({}).status());
  CHECK(Goes(deleted));
}

TEST_CASE("files of a backup that was stopped go although another folder was named meanwhile",
          "[admin]") {
  namespace fs = std::filesystem;
  const TempDir room, other;
  const std::string deleted = room.path() + "/.2026-01-31T02-00-00Z.deleted";
  fs::create_directories(deleted);
  BackupEngine engine;
  Backups backups(engine, {room.path()});
  REQUIRE(Goes(deleted));  // The sweep of the start has looked at what there is.
  engine.Hold(true);
  REQUIRE_OK(backups.Start({}).status());
  const bool off = GENERATE(false, true);
  backups.SetOptions({off ? "" : other.path()});
  fs::create_directories(deleted + "/db");  // What the backup leaves.
  REQUIRE(backups.Stop({})->stopped());
  CHECK(Goes(deleted));
}

TEST_CASE("the newest backup is known also when its folder is named during a slow look",
          "[admin]") {
  const TempDir slow, other;
  const absl::Time time = absl::FromUnixSeconds(1'000'000);
  PutBackup(other.path() + "/2026-01-31T02-00-00Z", time);
  // A list of files that is not read to its end as long as somebody may write to it.
  const std::string pipe = slow.path() + "/2026-01-31T02-00-00Z/BACKUP";
  std::filesystem::create_directories(slow.path() + "/2026-01-31T02-00-00Z");
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  BackupEngine engine;
  Backups backups(engine, {slow.path()});
  int writer = -1;
  while (writer < 0) {  // Until it is looked at.
    writer = open(pipe.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  backups.SetOptions({other.path()});
  close(writer);
  for (int i = 0; i < 30'000 && !backups.figures().newest.has_value(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CHECK(backups.figures().newest == time);
}

TEST_CASE("one backup is made at a time", "[admin]") {
  BackupRoom room;
  room.engine.Hold(true);
  const auto begun = room.backups.Start(room.caller);
  REQUIRE_OK(begun.status());
  CHECK(begun->run().state() == v1::BACKUP_STATE_RUNNING);
  CHECK(room.backups.figures().running);
  CHECK(ReasonOf(room.backups.Start(room.caller).status()) == v1::BACKUP_RUNNING);
  v1::DeleteBackupRequest request;
  request.set_id("2026-01-31T02-00-01Z");
  CHECK(ReasonOf(room.backups.Delete(room.caller, request).status()) == v1::BACKUP_RUNNING);
  room.engine.Hold(false);
  CHECK(room.AwaitEnd().id() == "2026-01-31T02-00-01Z");
  CHECK(room.AwaitEnd().copied_bytes() == 10);
  CHECK(room.backups.figures().done == 1);
  CHECK(room.backups.figures().newest == absl::FromUnixSeconds(1'000'001));
  CHECK_OK(room.backups.Delete(room.caller, request).status());
  CHECK(room.backups.figures().newest == std::nullopt);
  CHECK(ReasonOf(room.backups.Delete(room.caller, request).status()) == v1::BACKUP_NOT_FOUND);
}

TEST_CASE("a backup is stopped when somebody says so, and when the server ends", "[admin]") {
  BackupRoom room;
  CHECK_FALSE(room.backups.Stop(room.caller)->stopped());
  room.engine.Hold(true);
  REQUIRE_OK(room.backups.Start(room.caller).status());
  CHECK(room.backups.Stop(room.caller)->stopped());
  CHECK(room.AwaitEnd().state() == v1::BACKUP_STATE_STOPPED);
  CHECK(room.backups.last_error().empty());
  CHECK(room.backups.figures().failed == 0);
  REQUIRE_OK(room.backups.Start(room.caller).status());
  room.backups.End();
  CHECK(room.AwaitEnd().state() == v1::BACKUP_STATE_STOPPED);
  CHECK(ReasonOf(room.backups.Start(room.caller).status()) == v1::SERVER_STOPPING);
}

TEST_CASE("a backup that failed is told until the next one", "[admin]") {
  BackupRoom room;
  room.engine.Answer(Error(v1::DISK_FULL, "no room"));
  REQUIRE_OK(room.backups.Start(room.caller).status());
  CHECK(room.AwaitEnd().state() == v1::BACKUP_STATE_FAILED);
  CHECK(room.backups.last_error() == "no room");
  CHECK(room.backups.figures().failed == 1);
  // Also while the next one is made, and when that is stopped.
  room.engine.Answer(absl::OkStatus());
  room.engine.Hold(true);
  REQUIRE_OK(room.backups.Start(room.caller).status());
  CHECK(room.backups.last_error() == "no room");
  CHECK(room.backups.Stop(room.caller)->stopped());
  CHECK(room.AwaitEnd().state() == v1::BACKUP_STATE_STOPPED);
  CHECK(room.backups.last_error() == "no room");
  room.engine.Hold(false);
  room.Make();
  CHECK(room.backups.last_error().empty());
}

TEST_CASE("who makes no more backups is not told of the last one", "[admin]") {
  BackupRoom room;
  room.engine.Answer(Error(v1::DISK_FULL, "no room"));
  REQUIRE_OK(room.backups.Start(room.caller).status());
  CHECK(room.AwaitEnd().state() == v1::BACKUP_STATE_FAILED);
  room.backups.SetOptions({});
  CHECK(room.backups.last_error().empty());
}

TEST_CASE("a backup tells nothing of a folder that a reload named while it was made", "[admin]") {
  BackupRoom room;
  room.Make();
  room.engine.Hold(true);
  REQUIRE_OK(room.backups.Start(room.caller).status());
  const auto end_with = [&room](const BackupOptions& options) {
    room.backups.SetOptions(options);
    while (room.backups.figures().newest.has_value()) std::this_thread::yield();  // It is looked.
    room.engine.Hold(false);
    while (room.backups.figures().running) std::this_thread::yield();
  };
  SECTION("it failed, and there is no folder any more") {
    room.engine.Answer(Error(v1::DISK_FULL, "no room"));
    end_with({});
    CHECK(room.backups.figures().failed == 1);
    CHECK(room.backups.last_error().empty());
  }
  SECTION("it was made, and there is no folder any more") {
    end_with({});
    CHECK(room.backups.figures().done == 2);
    CHECK(room.backups.figures().newest == std::nullopt);
  }
  SECTION("it was made, and there is another folder") {
    end_with({room.folder.path() + "/others"});
    CHECK(room.backups.figures().done == 2);
    CHECK(room.backups.figures().newest == std::nullopt);
  }
}

TEST_CASE("so many backups are kept, from the next one on", "[admin]") {
  BackupRoom room;
  for (int i = 0; i < 4; ++i) room.Make();
  CHECK(room.Ids().size() == 4);
  room.backups.SetOptions(room.Options(2));
  CHECK(room.Ids().size() == 4);
  room.Make();
  CHECK(room.Ids() == std::vector<std::string>{"2026-01-31T02-00-04Z", "2026-01-31T02-00-05Z"});
}

}  // namespace acta
