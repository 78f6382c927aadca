#include "tools/bench/measure.h"

#include "absl/strings/str_cat.h"

namespace acta::bench {

std::vector<Measure> AllMeasures() {
  std::vector<Measure> measures;
  AddThroughputMeasures(&measures);
  AddRoundTripMeasures(&measures);
  AddEndToEndMeasures(&measures);
  AddCatchUpMeasures(&measures);
  AddSliceChangeMeasures(&measures);
  AddIdleMeasures(&measures);
  AddManyMeasures(&measures);
  AddPartitionMeasures(&measures);
  AddPublisherMeasures(&measures);
  AddScaleMeasures(&measures);
  AddRestartMeasures(&measures);
  AddCostMeasures(&measures);
  AddQueueMachineMeasures(&measures);
  AddQueueMeasures(&measures);
  AddScheduleMeasures(&measures);
  AddJourneyMeasures(&measures);
  AddBackupMeasures(&measures);
  AddScrapeMeasures(&measures);
  return measures;
}

std::string NameOfMeasure(const std::string& what, v1::AckLevel level, Profile profile) {
  const std::string name = absl::StrCat(what, "_", NameOf(level));
  return profile == Profile::kLog ? name : absl::StrCat(name, "_", NameOf(profile));
}

}  // namespace acta::bench
