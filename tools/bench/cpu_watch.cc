#include "tools/bench/cpu_watch.h"

namespace acta::bench {

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
