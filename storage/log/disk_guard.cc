#include "storage/log/disk_guard.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace acta {

void DiskGuard::Look(int64_t free_bytes, int64_t total_bytes) {
  total_.store(total_bytes, std::memory_order_relaxed);
  written_.store(0, std::memory_order_relaxed);
  free_.store(free_bytes, std::memory_order_relaxed);
}

int64_t DiskGuard::free_bytes() const {
  constexpr int64_t kCopies = 2;  // WAL and table file.
  return std::max<int64_t>(0, free_.load(std::memory_order_relaxed) -
                                  kCopies * written_.load(std::memory_order_relaxed));
}

DiskState DiskGuard::state() const {
  const int64_t total = total_bytes();
  if (total == 0) return DiskState::kOk;  // Not looked yet.
  const int64_t left = free_bytes();
  if (left < watermarks_.hard.Of(total)) return DiskState::kHard;
  if (left < watermarks_.soft.Of(total)) return DiskState::kSoft;
  if (left < watermarks_.warn.Of(total)) return DiskState::kWarn;
  return DiskState::kOk;
}

absl::Status DiskGuard::Refusal(DiskState below) const {
  const bool hard = below == DiskState::kHard;
  const int64_t watermark = (hard ? watermarks_.hard : watermarks_.soft).Of(total_bytes());
  const int64_t left = free_bytes();
  const std::string level = hard ? "hard" : "soft";
  const std::string limit = absl::StrCat("storage.disk_", level, "_bytes");
  return Error(
      v1::DISK_FULL,
      absl::StrCat("free disk (", left >> 20, " MiB) is below the ", level, " watermark (", limit,
                   ", ", watermark >> 20, " MiB on this disk); free some or lower retention"),
      {{"limit", limit}, {"limit_value", absl::StrCat(watermark)}, {"value", absl::StrCat(left)}});
}

}  // namespace acta
