#pragma once

#include <optional>

#include "tools/bench/bed.h"
#include "tools/bench/measure.h"

namespace acta::bench {

// CPU of broker and client over a stretch of time.
class CpuWatch {
 public:
  explicit CpuWatch(const Bed& bed)
      : bed_(bed), broker_(bed.BrokerUse()), client_s_(OwnCpuSeconds()) {}
  // From the beginning until now, for `events` events.
  void Read(double events, Outcome* outcome) const;

 private:
  const Bed& bed_;
  const std::optional<ProcessUse> broker_;
  const double client_s_;
};

}  // namespace acta::bench
