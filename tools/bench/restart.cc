#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/event_form.h"
#include "tools/bench/fill.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr int32_t kEventBytes = 100;
constexpr int32_t kPartitions = 16;

// Ready again after `kill -9`, with time slices of many small files and a part that is only in the
// log file. Everything must still be there.
absl::StatusOr<Outcome> RunAfterKill(Bed& bed, Profile profile) {
  const Durations& durations = bed.durations();
  bed.SetFlags({"--storage.write_buffer=1MiB"});
  RETURN_IF_ERROR(bed.Restart(false).status());
  const EventForm form(kEventBytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic, bed.NewTopic(kPartitions, v1::ACK_LEVEL_OS, profile));
  int64_t events = 0;
  for (int32_t slice = 0; slice < durations.slices; ++slice) {
    RETURN_IF_ERROR(MoveToOtherSlice(bed, topic, slice));
    ASSIGN_OR_RETURN(const int64_t filled, Fill(bed, form, topic, durations.slice_bytes));
    events += filled;
  }
  // Larger than what follows: nothing of it gets into a table file.
  bed.SetFlags({"--storage.write_buffer=256MiB", "--storage.memtable=1GiB"});
  RETURN_IF_ERROR(bed.Restart(false).status());
  ASSIGN_OR_RETURN(const int64_t last, Fill(bed, form, topic, durations.wal_bytes));
  bed.SetFlags({});
  const auto files = static_cast<double>(bed.UseOfFiles(".sst").files);
  ASSIGN_OR_RETURN(const double seconds, bed.RestartAfterKill());
  RETURN_IF_ERROR(ReadAll(bed, topic, false, events + last).status());
  Outcome outcome;
  outcome.values = {seconds, files};
  return outcome;
}

// Ready again with a log of `bytes` (0: as the others are filled), whose files are not in memory;
// then once more after `kill -9`.
absl::StatusOr<Outcome> RunStart(Bed& bed, Profile profile, int64_t bytes) {
  const EventForm form(kEventBytes, kPartitions);
  ASSIGN_OR_RETURN(const std::string topic, bed.NewTopic(kPartitions, v1::ACK_LEVEL_OS, profile));
  RETURN_IF_ERROR(
      Fill(bed, form, topic, bytes > 0 ? bytes : bed.durations().preload_bytes).status());
  ASSIGN_OR_RETURN(const double clean_s, bed.Restart(true));
  ASSIGN_OR_RETURN(const double killed_s, bed.RestartAfterKill());
  const std::optional<ProcessUse> use = bed.BrokerUse();
  Outcome outcome;
  outcome.values = {clean_s, killed_s, use ? std::optional(use->rss_mib) : std::nullopt};
  return outcome;
}

}  // namespace

void AddRestartMeasures(std::vector<Measure>* measures) {
  for (const Profile profile : {Profile::kLog, Profile::kFull}) {
    const std::string suffix = profile == Profile::kFull ? "_full" : "";
    Measure kill;
    kill.name = "restart_after_kill" + suffix;
    kill.help =
        "from kill -9 to ready: 64 MiB to replay, 64 time slices, 2,000 files (.files: how many)";
    kill.figures = {{"", "s", true, 3, 1.5}, {".files", "files"}};
    kill.needs_own_broker = true;
    kill.run = [profile](Bed& bed) { return RunAfterKill(bed, profile); };
    measures->push_back(std::move(kill));
    for (const int32_t gib : {1, 10, 20}) {
      Measure start;
      start.name = absl::StrCat("start_", gib, "g", suffix);
      start.help =
          absl::StrCat("to ready with a log of ", gib,
                       " GiB after a clean stop, nothing in memory; .killed: after kill -9");
      start.figures = {{"", "s", true}, {".killed", "s", true}, {".rss", "MiB", true}};
      start.needs_own_broker = true;
      start.large = gib > 1;
      const int64_t bytes = gib > 1 ? int64_t{gib} << 30 : 0;
      start.run = [profile, bytes](Bed& bed) { return RunStart(bed, profile, bytes); };
      measures->push_back(std::move(start));
    }
  }
}

}  // namespace acta::bench
