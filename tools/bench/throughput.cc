#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/event_form.h"
#include "tools/bench/load.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

struct Kind {
  Load load;
  bool in_bytes = false;   // The value is MB/s.
  bool resources = false;  // Figures of CPU and memory, and bounds for the disk, too.
};

absl::StatusOr<Outcome> RunThroughput(Bed& bed, const Kind& kind) {
  const EventForm form(kind.load.event_bytes, 1);
  ASSIGN_OR_RETURN(const LoadRun run,
                   RunLoad(bed, kind.load, bed.durations().warm_up_s, bed.durations().seconds));
  Outcome outcome;
  outcome.broker_cpu_s_per_million = run.broker_cpu_s_per_million;
  outcome.client_cpu_s_per_million = run.client_cpu_s_per_million;
  outcome.values = {kind.in_bytes ? run.events_per_second * form.event_bytes() / 1e6
                                  : run.events_per_second};
  outcome.values.push_back(run.disk_bytes_per_byte);
  if (kind.resources) {
    outcome.values.insert(outcome.values.end(), {run.broker_cpu_s_per_million, run.peak_rss_mib});
  }
  return outcome;
}

struct Target {
  std::optional<double> least, goal;
};

void Add(std::vector<Measure>* measures, const std::string& name, const std::string& help,
         const Kind& kind, const Target& target, const Target& cpu = {}) {
  const Load& load = kind.load;
  Figure figure;
  figure.unit = kind.in_bytes ? "MB/s" : load.consumers > 1 ? "deliveries/s" : "events/s";
  figure.least = target.least;
  figure.goal = target.goal;
  figure.limits = {absl::StrCat("rocksdb_", NameOf(load.level))};
  const EventForm form(load.event_bytes, 1);
  figure.limit_scale = kind.in_bytes ? static_cast<double>(form.event_bytes()) /
                                           static_cast<double>(form.element_bytes())
                                     : 1e6 / static_cast<double>(form.element_bytes());
  figure.limit_scale *= std::max(1, load.consumers);
  if (kind.resources && load.consumers == 1 && load.profile == Profile::kLog) {
    figure.least_of_limit = 0.4;
    figure.goal_of_limit = 0.75;
  }
  Measure measure;
  measure.name = absl::StrCat(name, "_", NameOf(load.level), "_", NameOf(load.profile));
  measure.help = help;
  measure.figures = {figure};
  const bool full = load.profile == Profile::kFull;
  Figure disk = {".disk_bytes_per_byte", "B/B", true};
  if (kind.resources) {
    disk.least = full ? 3.0 : 2.15;
    disk.goal = full ? 2.6 : 2.05;
  }
  measure.figures.push_back(std::move(disk));
  if (kind.resources) {
    measure.figures.push_back({".broker_cpu", "s/M events", true, cpu.least, cpu.goal});
    measure.figures.push_back({".rss", "MiB", true, 800, 400});
  }
  measure.run = [kind](Bed& bed) { return RunThroughput(bed, kind); };
  measures->push_back(std::move(measure));
}

}  // namespace

void AddThroughputMeasures(std::vector<Measure>* measures) {
  constexpr auto kOs = v1::ACK_LEVEL_OS, kFsync = v1::ACK_LEVEL_FSYNC;
  constexpr auto kLog = Profile::kLog, kFull = Profile::kFull;
  const std::string both = "prepared batches of 64 KiB, a consumer that counts";
  const auto main = [&](v1::AckLevel level, Profile profile, Target target, Target cpu) {
    Add(measures, "publish_consume", "100 B, " + both,
        {.load = {.level = level, .profile = profile}, .resources = true}, target, cpu);
  };
  main(kOs, kLog, {2.0e6, 3.5e6}, {0.5, 0.3});
  main(kFsync, kLog, {1.8e6, 3.5e6}, {0.5, 0.3});
  main(kOs, kFull, {0.8e6, 1.5e6}, {1.2, 0.7});
  main(kFsync, kFull, {0.8e6, 1.5e6}, {1.2, 0.7});

  const auto large = [&](v1::AckLevel level, Profile profile, Target target) {
    Add(measures, "publish_consume_1k", "1 KiB, " + both,
        {.load = {.level = level, .profile = profile, .event_bytes = 1024}, .in_bytes = true},
        target);
  };
  for (const Profile profile : {kLog, kFull}) {
    large(kOs, profile, {260, 380});
    large(kFsync, profile, {240, 380});
  }
  const auto sdk = [&](v1::AckLevel level, Profile profile, Target target) {
    Add(measures, "sdk", "100 B, the SDK builds each event, the consumer parses each",
        {.load = {.level = level, .profile = profile, .source = Source::kSdk}}, target);
  };
  sdk(kOs, kLog, {1.3e6, 2.2e6});
  sdk(kFsync, kLog, {1.2e6, 2.0e6});
  sdk(kOs, kFull, {0.7e6, 1.3e6});
  sdk(kFsync, kFull, {0.7e6, 1.3e6});

  const std::string alone = "prepared batches, nobody reads";
  const auto publish = [&](v1::AckLevel level, Profile profile, Target target) {
    const Load load = {.level = level, .profile = profile, .consumers = 0};
    Add(measures, "publish", "100 B, " + alone, {.load = load, .resources = true}, target);
    Load large_load = load;
    large_load.event_bytes = 1024;
    Add(measures, "publish_1k", "1 KiB, " + alone, {.load = large_load, .in_bytes = true}, {});
  };
  publish(kOs, kLog, {2.2e6, 4e6});
  publish(kFsync, kLog, {2.0e6, 4e6});
  publish(kOs, kFull, {});
  publish(kFsync, kFull, {});
  Add(measures, "four_groups", "100 B, prepared batches, four groups that count",
      {.load = {.level = kOs, .consumers = 4}}, {1.5e6, 3e6});
}

}  // namespace acta::bench
