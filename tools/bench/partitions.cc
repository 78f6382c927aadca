#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/load.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

// The same load over 1, 16 and 256 partitions.
absl::StatusOr<Outcome> RunPartitions(Bed& bed, Profile profile, Source source) {
  std::vector<Load> loads;
  for (const int32_t partitions : {1, 16, 256}) {
    loads.push_back({.profile = profile, .partitions = partitions, .source = source});
  }
  ASSIGN_OR_RETURN(const std::vector<LoadRun> runs, CompareLoads(bed, loads));
  const double one = runs[0].events_per_second, some = runs[1].events_per_second,
               many = runs[2].events_per_second;
  Outcome outcome;
  outcome.values = {100 * many / some, 100 * one / some, one, some, many};
  return outcome;
}

}  // namespace

void AddPartitionMeasures(std::vector<Measure>* measures) {
  const auto add = [&](const char* name, const char* what, Profile profile, Source source,
                       double least, double goal) {
    Measure measure;
    measure.name = absl::StrCat("partitions_256_", name, "_os_", NameOf(profile));
    measure.help = absl::StrCat("100 B, ", what, ": 256 partitions against 16; .one: 1 against 16");
    measure.figures = {{"", "%", false, least, goal},
                       {".one", "%"},
                       {".rate_1", "events/s"},
                       {".rate_16", "events/s"},
                       {".rate_256", "events/s"}};
    measure.run = [=](Bed& bed) { return RunPartitions(bed, profile, source); };
    measures->push_back(std::move(measure));
  };
  for (const Profile profile : {Profile::kLog, Profile::kFull}) {
    add("sticky", "a batch of 64 KiB for one partition after the other", profile, Source::kPrepared,
        85, 95);
    add("keyed", "each event for another partition", profile, Source::kKeyed, 35, 60);
  }
}

}  // namespace acta::bench
