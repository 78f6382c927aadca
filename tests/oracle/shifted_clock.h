#pragma once

#include <string>
#include <utility>

#include "storage/base/clock.h"

namespace acta::oracle {

// The machine's clock, its wall time shifted by the number of seconds that a file holds at that
// moment. No path, no file, no number: not shifted. The file changes by a rename.
//
// Threads: any.
class ShiftedClock final : public Clock {
 public:
  explicit ShiftedClock(std::string path) : path_(std::move(path)) {}
  absl::Time Wall() const override;
  absl::Duration SinceBoot() const override { return system_.SinceBoot(); }

 private:
  const std::string path_;
  const SystemClock system_;
};

}  // namespace acta::oracle
