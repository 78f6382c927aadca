#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/bench/event_form.h"
#include "tools/bench/fill.h"
#include "tools/bench/live_load.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr int32_t kPartitions = 16;
constexpr int32_t kEventBytes = 1024;

// What one took, and what was new in it.
struct Made {
  double seconds = 0;
  double added_bytes = 0;
};

absl::StatusOr<Made> MakeBackup(Bed& bed) {
  client::Admin admin(bed.NewChannel());
  const int64_t begin = NowNanos();
  RETURN_IF_ERROR(admin.StartBackup({}).status());
  for (;;) {
    ASSIGN_OR_RETURN(const v1::ListBackupsResponse now, admin.ListBackups({}));
    const v1::BackupRun& run = now.last_run();
    if (run.state() == v1::BACKUP_STATE_DONE) {
      return Made{static_cast<double>(NowNanos() - begin) / 1e9,
                  static_cast<double>(now.backups().rbegin()->added_bytes())};
    }
    if (run.state() != v1::BACKUP_STATE_RUNNING) return absl::InternalError(run.error());
    absl::SleepFor(absl::Milliseconds(10));
  }
}

// A broker that makes them into an empty folder, with a log to be copied.
absl::Status FillWithBackups(Bed& bed, const std::string& flag) {
  const std::string folder = absl::StrCat(bed.options().folder, "/backups");
  std::filesystem::remove_all(folder);  // Of the run before, which had another store.
  bed.SetFlags({absl::StrCat("--storage.backup_dir=", folder), flag});
  RETURN_IF_ERROR(bed.Restart(false).status());
  const EventForm form(kEventBytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic,
                   bed.NewTopic(kPartitions, v1::ACK_LEVEL_OS, Profile::kLog));
  RETURN_IF_ERROR(Fill(bed, form, topic, bed.durations().preload_bytes).status());
  return bed.Restart(true).status();
}

// As fast as it goes.
absl::StatusOr<Outcome> RunBackup(Bed& bed) {
  RETURN_IF_ERROR(FillWithBackups(bed, "--storage.backup_rate=0"));
  ASSIGN_OR_RETURN(const Made first, MakeBackup(bed));
  ASSIGN_OR_RETURN(const Made second, MakeBackup(bed));
  Outcome outcome;
  outcome.values = {first.added_bytes / first.seconds / 1e6, second.seconds,
                    second.added_bytes / 1e6};
  return outcome;
}

// Live traffic by itself, and while backups are made one after the other.
absl::StatusOr<Outcome> RunBesideBackup(Bed& bed) {
  RETURN_IF_ERROR(FillWithBackups(bed, "--storage.backup_keep=1"));
  const EndToEnd live = {v1::ACK_LEVEL_FSYNC, Profile::kFull, Pace()};
  const double warm_up_s = bed.durations().warm_up_s, seconds = bed.durations().seconds;
  ASSIGN_OR_RETURN(const LiveRun alone, RunLive(bed, live, warm_up_s, seconds));
  std::atomic<bool> stop = false;
  absl::Status status;
  std::thread maker;
  const absl::StatusOr<LiveRun> beside = RunLive(bed, live, warm_up_s, seconds, [&](const auto&) {
    maker = std::thread([&] {
      while (!stop && status.ok()) status = MakeBackup(bed).status();
    });
  });
  stop = true;
  if (maker.joinable()) maker.join();
  RETURN_IF_ERROR(beside.status());
  RETURN_IF_ERROR(status);
  const double p99 = beside->latencies.Millis(0.99), alone_p99 = alone.latencies.Millis(0.99);
  Outcome outcome;
  outcome.values = {p99 / alone_p99, alone_p99, p99};
  return outcome;
}

}  // namespace

void AddBackupMeasures(std::vector<Measure>* measures) {
  Measure backup;
  backup.name = "backup";
  backup.help =
      "the first backup of a log, without a limit of its rate; .again: what the next one takes, "
      "which finds nothing new but the log files";
  backup.figures = {{"", "MB/s"}, {".again", "s", true}, {".again_bytes", "MB", true}};
  backup.needs_own_broker = true;
  backup.run = RunBackup;
  measures->push_back(std::move(backup));
  Measure beside;
  beside.name = "live_beside_backup_fsync_full";
  beside.help =
      "p99 of 20,000 events/s from due to delivered, beside backups at 100 MiB/s, as a multiple of "
      "alone";
  beside.figures = {{"", "x", true}, {".alone_p99", "ms", true}, {".beside_p99", "ms", true}};
  beside.needs_own_broker = true;
  beside.run = RunBesideBackup;
  measures->push_back(std::move(beside));
}

}  // namespace acta::bench
