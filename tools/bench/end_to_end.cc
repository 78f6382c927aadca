#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/status_macros.h"
#include "tools/bench/live_load.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr int64_t kMilli = 1'000'000;

absl::StatusOr<Outcome> RunEndToEnd(Bed& bed, const EndToEnd& kind) {
  ASSIGN_OR_RETURN(const LiveRun run,
                   RunLive(bed, kind, bed.durations().warm_up_s, bed.durations().seconds));
  Outcome outcome = run.cpu;
  outcome.values = {run.latencies.Millis(0.5), run.latencies.Millis(0.99),
                    run.latencies.Millis(0.999), run.cpu.broker_cpu_s_per_million};
  return outcome;
}

struct Targets {
  std::optional<double> least, goal, least_p99, goal_p99, least_cpu, goal_cpu;
};

void Add(std::vector<Measure>* measures, const std::string& name, const std::string& help,
         const EndToEnd& kind, const Targets& targets) {
  std::vector<std::string> limits = {"grpc_stream_round_trip"};
  if (kind.level == v1::ACK_LEVEL_FSYNC) limits.push_back("disk_overwrite_sync");
  Measure measure;
  measure.name = NameOfMeasure(name, kind.level, kind.profile);
  measure.help = help;
  measure.figures = {{"", "ms", true, targets.least, targets.goal, limits},
                     {".p99", "ms", true, targets.least_p99, targets.goal_p99},
                     {".p999", "ms", true},
                     {".broker_cpu", "s/M events", true, targets.least_cpu, targets.goal_cpu}};
  measure.run = [kind](Bed& bed) { return RunEndToEnd(bed, kind); };
  measures->push_back(std::move(measure));
}

}  // namespace

void AddEndToEndMeasures(std::vector<Measure>* measures) {
  constexpr auto kOs = v1::ACK_LEVEL_OS, kFsync = v1::ACK_LEVEL_FSYNC;
  const std::string single = "20,000 events/s of 100 B, one by one, from due to delivered";
  const std::string ticks = "20,000 events/s of 100 B, in batches of 1 ms, from due to delivered";
  for (const Profile profile : {Profile::kLog, Profile::kFull}) {
    Add(measures, "end_to_end", single, {kOs, profile, {20'000, 0}}, {1.0, 0.5, 3.0, 1.4, {}, {}});
    Add(measures, "end_to_end", single, {kFsync, profile, {20'000, 0}},
        {1.6, 0.9, 5.0, 2.2, {}, {}});
    Add(measures, "end_to_end_1ms", ticks, {kOs, profile, {20'000, kMilli}},
        {{}, {}, {}, {}, 25, 10});
    Add(measures, "end_to_end_1ms", ticks, {kFsync, profile, {20'000, kMilli}},
        {{}, {}, {}, {}, 38, 18});
  }
  const auto heavy = [&](const std::string& name, const std::string& rate, Profile profile,
                         double events_per_second) {
    const std::string help = rate + " events/s of 100 B, in batches of 1 ms, from due to delivered";
    const Pace pace = {events_per_second, kMilli};
    Add(measures, name, help, {kOs, profile, pace}, {{}, {}, 12, 5, {}, {}});
    Add(measures, name, help, {kFsync, profile, pace}, {{}, {}, 25, 12, {}, {}});
  };
  heavy("end_to_end_2m", "2 M", Profile::kLog, 2e6);
  heavy("end_to_end_500k", "0.5 M", Profile::kFull, 5e5);
}

}  // namespace acta::bench
