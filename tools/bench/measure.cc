#include "tools/bench/measure.h"

#include "absl/strings/str_cat.h"

namespace acta::bench {

std::vector<Measure> AllMeasures() {
  std::vector<Measure> measures;
  AddThroughputMeasures(&measures);
  AddRoundTripMeasures(&measures);
  AddEndToEndMeasures(&measures);
  AddCatchUpMeasures(&measures);
  AddIdleMeasures(&measures);
  AddManyMeasures(&measures);
  AddPartitionMeasures(&measures);
  AddPublisherMeasures(&measures);
  AddScaleMeasures(&measures);
  AddRestartMeasures(&measures);
  AddCostMeasures(&measures);
  return measures;
}

std::string NameOfMeasure(const std::string& what, v1::AckLevel level, Profile profile) {
  const std::string name = absl::StrCat(what, "_", NameOf(level));
  return profile == Profile::kLog ? name : absl::StrCat(name, "_", NameOf(profile));
}

void CpuWatch::Read(double events, Outcome* outcome) const {
  if (events <= 0) return;
  const double millions = events / 1e6;
  outcome->client_cpu_s_per_million = (OwnCpuSeconds() - client_s_) / millions;
  const std::optional<ProcessUse> now = bed_.BrokerUse();
  if (!broker_ || !now) return;
  // Zero: less than a tick of the kernel's clock, which says nothing.
  const double seconds = now->cpu_seconds - broker_->cpu_seconds;
  if (seconds > 0) outcome->broker_cpu_s_per_million = seconds / millions;
}

}  // namespace acta::bench
