#include "tools/bench/measure.h"

namespace acta::bench {

std::vector<Measure> AllMeasures() {
  std::vector<Measure> measures;
  AddThroughputMeasures(&measures);
  AddRoundTripMeasures(&measures);
  AddEndToEndMeasures(&measures);
  AddCatchUpMeasures(&measures);
  AddIdleMeasures(&measures);
  AddManyMeasures(&measures);
  return measures;
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
