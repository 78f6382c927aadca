#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "storage/log_engine.h"

namespace acta {

// A level of free disk: the smaller of a share of the disk and a number of bytes.
struct Watermark {
  double percent = 0;
  int64_t bytes = 0;
  int64_t Of(int64_t total) const {
    return std::min(static_cast<int64_t>(static_cast<double>(total) * percent / 100), bytes);
  }
};

struct DiskWatermarks {
  Watermark warn{20, int64_t{20} << 30};
  Watermark soft{10, int64_t{10} << 30};
  Watermark hard{5, int64_t{2} << 30};
};

// Stops writes before the file system is full: the database would abort there, and not open again
// while it is full. Between two looks at the disk it counts what was written.
//
// Threads: any.
class DiskGuard {
 public:
  explicit DiskGuard(const DiskWatermarks& watermarks) : watermarks_(watermarks) {}

  void Look(int64_t free_bytes, int64_t total_bytes);
  // Bytes accepted; each goes to disk about twice.
  void Wrote(int64_t bytes) { written_.fetch_add(bytes, std::memory_order_relaxed); }
  DiskState state() const;
  // DISK_FULL, for what is not written below this watermark: kSoft or kHard.
  absl::Status Refusal(DiskState below) const;
  int64_t free_bytes() const;
  int64_t total_bytes() const { return total_.load(std::memory_order_relaxed); }

 private:
  const DiskWatermarks watermarks_;
  std::atomic<int64_t> free_{INT64_MAX};
  std::atomic<int64_t> total_{0};
  std::atomic<int64_t> written_{0};
};

}  // namespace acta
