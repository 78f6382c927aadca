#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/fill.h"
#include "tools/bench/live_load.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr int64_t kEvery = 1'000'000'000;

// What a change of the time slice costs who waits for events: live traffic by itself, and while the
// slice changes every second.
absl::StatusOr<Outcome> RunSliceChange(Bed& bed, const EndToEnd& live) {
  const double warm_up_s = bed.durations().warm_up_s, seconds = bed.durations().seconds;
  ASSIGN_OR_RETURN(const LiveRun alone, RunLive(bed, live, warm_up_s, seconds));
  std::atomic<bool> stop = false;
  absl::Status changed;
  int32_t changes = 0;
  std::thread changer;
  const absl::StatusOr<LiveRun> run =
      RunLive(bed, live, warm_up_s, seconds, [&](const std::string& topic) {
        changer = std::thread([&, topic] {
          for (int64_t next = NowNanos(); !stop && changed.ok(); next += kEvery) {
            changed = MoveToOtherSlice(bed, topic, changes++);
            while (!stop && NowNanos() < next + kEvery) SleepUntilNanos(NowNanos() + kEvery / 50);
          }
        });
      });
  stop = true;
  if (changer.joinable()) changer.join();
  RETURN_IF_ERROR(run.status());
  RETURN_IF_ERROR(changed);
  Outcome outcome = run->cpu;
  outcome.values = {run->latencies.Millis(0.99), alone.latencies.Millis(0.99),
                    run->latencies.Millis(0.999), run->latencies.Millis(1),
                    static_cast<double>(changes)};
  return outcome;
}

}  // namespace

void AddSliceChangeMeasures(std::vector<Measure>* measures) {
  const auto add = [&](v1::AckLevel level, Profile profile, double least, double goal) {
    const bool full = profile == Profile::kFull;
    const EndToEnd live = {level, profile, {full ? 0.5e6 : 2e6, 1'000'000}};
    Measure measure;
    measure.name = NameOfMeasure(full ? "slice_change_500k" : "slice_change_2m", level, profile);
    measure.help = absl::StrCat("p99 of ", full ? "0.5" : "2",
                                " M events/s of 100 B, from due to delivered, while the time slice "
                                "changes every second; .alone: without");
    measure.figures = {{"", "ms", true, least, goal},
                       {".alone", "ms", true},
                       {".p999", "ms", true},
                       {".longest", "ms", true},
                       {".changes", "changes"}};
    measure.run = [live](Bed& bed) { return RunSliceChange(bed, live); };
    measures->push_back(std::move(measure));
  };
  for (const Profile profile : {Profile::kLog, Profile::kFull}) {
    add(v1::ACK_LEVEL_OS, profile, 12, 5);
    add(v1::ACK_LEVEL_FSYNC, profile, 25, 12);
  }
}

}  // namespace acta::bench
