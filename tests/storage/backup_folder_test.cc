#include <sys/resource.h>
#include <sys/stat.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "storage/log/backup_writer.h"
#include "storage/log/folder.h"
#include "storage/rocks/store_file_system.h"
#include "tests/storage/backup_bed.h"
#include "tests/support/held_disk.h"
#include "tests/support/table_damage.h"

namespace acta {
namespace fs = std::filesystem;

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

TEST_CASE("a folder that cannot be looked at is not restored into", "[backup]") {
  BackupBed bed;
  const BackupInfo backup = bed.Make();
  // A longer name than a file may have: the system refuses it to root, too.
  const std::string nowhere = absl::StrCat(bed.folder(), "/", std::string(300, 'x'));
  const auto data = RestoreBackup({backup.path, nowhere, "", nullptr});
  CHECK(ReasonOf(data.status()) == v1::FOLDER_UNUSABLE);
  CHECK(absl::StrContains(data.status().message(), "cannot be read"));
  const std::string made = bed.New();
  const auto log = RestoreBackup({backup.path, made, nowhere, nullptr});
  CHECK(ReasonOf(log.status()) == v1::FOLDER_UNUSABLE);
  CHECK_FALSE(fs::exists(made));
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

TEST_CASE("what a killed broker left of a backup goes", "[backup]") {
  BackupBed bed;
  bed.Make();
  fs::create_directories(bed.folder() + "/.2026-01-31T02-00-00Z.unfinished/db");
  fs::create_directories(bed.folder() + "/.2026-01-31T02-00-00Z.deleted/db");
  fs::create_directories(bed.store().path() + "/backup.cut");
  bed.store().Reopen();
  CHECK_FALSE(fs::exists(bed.store().path() + "/backup.cut"));
  bed.Make();
  CHECK_OK(SweepBackups({bed.folder(), 0, nullptr}));
  CHECK(bed.Entries() == 2);
}

namespace {

std::ptrdiff_t FilesBelow(const std::string& folder) {
  const fs::recursive_directory_iterator all(folder);
  return std::count_if(begin(all), end(all), [](const fs::directory_entry& entry) {
    return !entry.is_directory() && entry.path().filename() != "acta.lock";
  });
}

}  // namespace

TEST_CASE("what is deleted is no backup at once, and leaves the disk at a rate", "[backup]") {
  BackupBed bed;
  bed.Publish("0");
  const std::string id = bed.Make().id;
  REQUIRE_OK(DeleteBackup(bed.folder(), id));
  CHECK(ReasonOf(DeleteBackup(bed.folder(), id)) == v1::BACKUP_NOT_FOUND);
  CHECK(ListBackups(bed.folder())->empty());
  // One of the same second has another name as long as files are there.
  const std::string second = bed.Make().id;
  CHECK(second != id);
  REQUIRE_OK(DeleteBackup(bed.folder(), second));
  const auto before = FilesBelow(bed.folder());
  REQUIRE(before > 4);
  int asked = 0;
  // The first file goes, and what it had takes a while at that rate.
  CHECK_OK(SweepBackups({bed.folder(), /*bytes_per_second=*/1, [&asked] { return ++asked < 3; }}));
  CHECK(asked == 3);
  CHECK(FilesBelow(bed.folder()) == before - 1);
  CHECK_OK(SweepBackups({bed.folder(), 0, nullptr}));
  CHECK(bed.Entries() == 0);
}

// Method: without a descriptor no folder is opened, which renaming does not need and a sync does.
TEST_CASE("a deletion is answered when a power cut does not undo it", "[backup]") {
  const TempDir folder;
  const std::string id = "2026-01-31T02-00-00Z";
  fs::create_directories(folder.path() + "/" + id);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 0;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  const absl::Status deleted = DeleteBackup(folder.path(), id);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(ReasonOf(deleted) == v1::FOLDER_UNUSABLE);
  CHECK(HiddenBackups(folder.path(), kDeleted) == std::vector<std::string>{id});
}

TEST_CASE("what a backup left that was given up leaves the disk at a rate", "[backup]") {
  BackupBed bed;
  for (int i = 0; i < 300; ++i) bed.Publish(std::string(2000, 'x'));
  BackupOrder order = bed.Order();
  int told = 0;
  order.go_on = [&told](int64_t, int64_t) { return ++told < 6; };  // Twice a file.
  REQUIRE(absl::IsCancelled(bed.engine().Backup(order).status()));
  CHECK(HiddenBackups(bed.folder(), kUnfinished).empty());
  CHECK(HiddenBackups(bed.folder(), kDeleted).size() == 1);
  // So is what a broker left that was killed.
  fs::create_directories(bed.folder() + "/.2026-01-31T02-00-00Z.unfinished");
  REQUIRE(absl::IsCancelled(bed.engine().Backup(order).status()));
  CHECK(HiddenBackups(bed.folder(), kUnfinished).empty());
  CHECK(HiddenBackups(bed.folder(), kDeleted).size() == 3);
  const auto before = FilesBelow(bed.folder());
  REQUIRE(before > 2);
  int asked = 0;
  CHECK_OK(SweepBackups({bed.folder(), /*bytes_per_second=*/1, [&asked] { return ++asked < 3; }}));
  CHECK(FilesBelow(bed.folder()) >= before - 1);
  CHECK_OK(SweepBackups({bed.folder(), 0, nullptr}));
  CHECK(bed.Entries() == 0);
}

// Goal: what waits is gone within half a minute. Method: a gigabyte that two of them share; were it
// not counted, the small file before it would take seconds, and the sweep is given up by then.
TEST_CASE("what only deleted backups share leaves the disk in time too", "[backup]") {
  const TempDir folder;
  const std::string first = folder.path() + "/.2026-01-31T02-00-00Z.deleted";
  const std::string second = folder.path() + "/.2026-02-01T02-00-00Z.deleted";
  for (const std::string& path : {first, second}) {
    fs::create_directories(path);
    std::ofstream(path + "/BACKUP") << std::string(1000, ' ');
  }
  std::ofstream(first + "/table").close();
  fs::resize_file(first + "/table", uintmax_t{1} << 30);
  fs::create_hard_link(first + "/table", second + "/table");
  int asked = 0;
  CHECK_OK(
      SweepBackups({folder.path(), /*bytes_per_second=*/1, [&asked] { return ++asked < 100; }}));
  CHECK(asked < 100);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a sweep follows nothing that only points somewhere", "[backup]") {
  BackupBed bed;
  const std::string id = bed.Make().id;
  const TempDir archive;
  fs::rename(bed.folder() + "/" + id, archive.path() + "/moved");
  fs::create_directory_symlink(archive.path() + "/moved", bed.folder() + "/" + id);
  REQUIRE_OK(DeleteBackup(bed.folder(), id));
  const std::string linked = bed.folder() + "/.2026-01-31T02-00-00Z.deleted";
  fs::create_directories(linked);
  fs::create_directory_symlink(archive.path() + "/moved", linked + "/db");
  CHECK_OK(SweepBackups({bed.folder(), 0, nullptr}));
  CHECK(bed.Entries() == 0);
  CHECK(fs::exists(archive.path() + "/moved/BACKUP"));
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

TEST_CASE("a backup without room for its cut writes nothing on the disk of the log", "[backup]") {
  std::atomic<int> seen = 0;
  // Never held: it only counts.
  const auto disk = std::make_shared<HeldDisk>([&seen](const DiskCall& call) {
    if (call.Changes() && absl::StrContains(call.path, "/backup.cut")) ++seen;
    return false;
  });
  LocalEngineOptions options;
  options.file_system = disk;
  BackupBed bed(options);
  bed.Publish("0");
  bed.Make();
  REQUIRE(seen.exchange(0) > 0);
  bed.store().options().watermarks.soft = {100, int64_t{1} << 50};
  bed.store().Close();
  RecordingFatalSink sink;
  const auto engine = LocalLogEngine::Open(bed.store().options(), sink, bed.store().clock());
  REQUIRE_OK(engine.status());
  CHECK(ReasonOf((*engine)->Backup(bed.Order()).status()) == v1::DISK_FULL);
  CHECK(seen == 0);
  CHECK(bed.Entries() == 1);
}

namespace {

bool IsAnotherDisk(const std::string& a, const std::string& b) {
  struct stat of_a {
  }, of_b{};
  return stat(a.c_str(), &of_a) == 0 && stat(b.c_str(), &of_b) == 0 && of_a.st_dev != of_b.st_dev;
}

}  // namespace

TEST_CASE("a cut leaves what stays for events, or twice the file on a disk of the log's own",
          "[backup]") {
  BackupBed bed;
  const std::string& data = bed.store().path();
  const int64_t free = FreeBytes(data), much = free / 4 * 3;
  BackupPlace place{data, 0, 0, std::make_shared<StoreFileSystem>(nullptr)};
  const auto refused = [&](const std::string& folder, const std::string& log, int64_t bytes) {
    BackupOrder order;
    order.folder = folder;
    const absl::Status status = CheckRoomForCut(place, order, log, bytes);
    CHECK((status.ok() || ReasonOf(status) == v1::DISK_FULL));
    return !status.ok();
  };
  CHECK_FALSE(refused(bed.folder(), data, much));
  place.reserve_bytes = much;
  CHECK_FALSE(refused(bed.folder(), data, 1));
  CHECK(refused(bed.folder(), data, much));
  // There is less than stays for events.
  place.reserve_bytes = free * 2;
  CHECK(refused(bed.folder(), data, 1));
  const std::string elsewhere = "/dev/shm";
  if (!IsAnotherDisk(elsewhere, data)) return;
  CHECK_FALSE(refused(elsewhere, data, 1));
  place.hard_bytes = much;
  CHECK(refused(elsewhere, data, much));
  const int64_t free_there = FreeBytes(elsewhere);
  CHECK_FALSE(refused(bed.folder(), elsewhere, free_there / 4));
  CHECK(refused(bed.folder(), elsewhere, free_there / 4 * 3));
}

TEST_CASE("names of backups", "[backup]") {
  CHECK(BackupId(absl::FromUnixSeconds(1769824800)) == "2026-01-31T02-00-00Z");
  CHECK(IsBackupId("2026-01-31T02-00-00Z"));
  CHECK(IsBackupId("2026-01-31T02-00-00Z-12"));
  for (const char* not_one : {"", "2026-01-31T02-00-00", "2026-01-31T02-00-00Z-", "../backups",
                              "2026-01-31T02-00-00Z-1/..", "2026-01-31T02-00-00Z-0000000001",
                              ".2026-01-31T02-00-00Z.deleted"}) {
    INFO(not_one);
    CHECK_FALSE(IsBackupId(not_one));
    CHECK(ReasonOf(DeleteBackup("/tmp", not_one)) == v1::BACKUP_NOT_FOUND);
  }
  // An error goes back in metadata, which has no room for whatever was asked for.
  const absl::Status endless = DeleteBackup("/tmp", std::string(100'000, 'x'));
  CHECK(ReasonOf(endless) == v1::BACKUP_NOT_FOUND);
  CHECK(endless.message().size() < 200);
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

TEST_CASE("a file of the backup before that was cut is copied again", "[backup]") {
  BackupBed bed;
  for (int i = 0; i < 300; ++i) bed.Publish(std::string(2000, 'x'));
  const BackupInfo first = bed.Make();
  const fs::path hurt = DatabaseFiles(first.path, ".sst").front();
  fs::resize_file(hurt, fs::file_size(hurt) - 1);
  const BackupInfo second = bed.Make();
  CHECK(CheckBackup(first.path, nullptr)->size() == 1);
  CHECK(CheckBackup(second.path, nullptr)->empty());
}

}  // namespace acta
