#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/crc32c.h"
#include "storage/base/status_macros.h"
#include "tools/bench/latencies.h"
#include "tools/bench/load.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr int32_t kEventBytes = 100;

// The rate that is left with a feature, and the broker's CPU without and with it.
absl::StatusOr<Outcome> RunCost(Bed& bed, const Load& without, const Load& with) {
  ASSIGN_OR_RETURN(const std::vector<LoadRun> runs, CompareLoads(bed, {without, with}));
  Outcome outcome;
  outcome.values = {100 * runs[1].events_per_second / runs[0].events_per_second,
                    runs[0].events_per_second, runs[1].events_per_second,
                    runs[0].broker_cpu_s_per_million, runs[1].broker_cpu_s_per_million};
  return outcome;
}

// A million events' worth of sums, in seconds of one core.
double CrcSecondsPerMillion() {
  constexpr int64_t kBytes = 64 << 10;
  constexpr int64_t kLeastNanos = 20'000'000;
  std::string bytes(kBytes, 'x');
  const int64_t begin = NowNanos();
  int64_t sums = 0;
  while (NowNanos() - begin < kLeastNanos) {
    // Each sum needs the one before: none can be left out.
    bytes[0] = static_cast<char>(Crc32c(bytes));
    ++sums;
  }
  const double seconds = static_cast<double>(NowNanos() - begin) / 1e9;
  return seconds / static_cast<double>(sums * kBytes) * kEventBytes * 1e6;
}

// A checksum cannot be switched off: what one costs, against all that the broker does.
absl::StatusOr<Outcome> RunCrcCost(Bed& bed) {
  ASSIGN_OR_RETURN(const LoadRun run,
                   RunLoad(bed, {}, bed.durations().warm_up_s, bed.durations().seconds));
  const double crc = CrcSecondsPerMillion();
  Outcome outcome;
  outcome.values = {crc, std::nullopt};
  if (run.broker_cpu_s_per_million) {
    outcome.values[1] = 100 * crc / *run.broker_cpu_s_per_million;
  }
  return outcome;
}

absl::StatusOr<Outcome> RunGroupCost(Bed& bed) {
  ASSIGN_OR_RETURN(const std::vector<LoadRun> runs,
                   CompareLoads(bed, {{.consumers = 1}, {.consumers = 4}, {.consumers = 16}}));
  Outcome outcome;
  for (const LoadRun& run : runs) outcome.values.push_back(run.events_per_second);
  for (const LoadRun& run : runs) outcome.values.push_back(run.broker_cpu_s_per_million);
  return outcome;
}

void Add(std::vector<Measure>* measures, const char* name, const char* help, const Load& without,
         const Load& with) {
  Measure measure;
  measure.name = absl::StrCat("cost_", name);
  measure.help = absl::StrCat("publish and consume, 100 B: the rate that is left with ", help);
  measure.figures = {{"", "%"},
                     {".rate_without", "events/s"},
                     {".rate_with", "events/s"},
                     {".broker_cpu_without", "s/M events", true},
                     {".broker_cpu_with", "s/M events", true}};
  measure.run = [=](Bed& bed) { return RunCost(bed, without, with); };
  measures->push_back(std::move(measure));
}

}  // namespace

void AddCostMeasures(std::vector<Measure>* measures) {
  Add(measures, "sequences", "producer sequences checked (against: nothing)",
      {.profile = Profile::kOff}, {.profile = Profile::kLog});
  Add(measures, "ids", "event ids checked (against: producer sequences only)",
      {.profile = Profile::kLog}, {.profile = Profile::kFull});
  Add(measures, "fsync", "FSYNC (against: OS)", {.level = v1::ACK_LEVEL_OS},
      {.level = v1::ACK_LEVEL_FSYNC});
  Measure crc;
  crc.name = "cost_crc";
  crc.help = "one CRC32C of 100 B; .of_broker: in percent of the broker's CPU, OS, LOG";
  crc.figures = {{"", "s/M events", true}, {".of_broker", "%", true}};
  crc.run = RunCrcCost;
  measures->push_back(std::move(crc));
  Measure groups;
  groups.name = "cost_groups";
  groups.help = "1, 4 and 16 groups that read all, 100 B, OS, LOG: deliveries, and CPU of each";
  for (const char* count : {"1", "4", "16"}) {
    groups.figures.push_back({absl::StrCat(".groups_", count), "deliveries/s"});
  }
  for (const char* count : {"1", "4", "16"}) {
    groups.figures.push_back({absl::StrCat(".broker_cpu_", count), "s/M deliveries", true});
  }
  groups.run = RunGroupCost;
  measures->push_back(std::move(groups));
}

}  // namespace acta::bench
