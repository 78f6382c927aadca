#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "storage/rocks/write_group.h"

namespace acta {

// A time slice of the log: one column family with the batches of all topics of a retention class
// that were appended while it was open. Dropped as a whole.
struct Slice {
  uint64_t id = 0;
  int64_t class_seconds = 0;  // 0: forever.
  int64_t created_us = 0;
  FamilyPtr family;
  std::atomic<int64_t> bytes{0};    // Written to it in this run and before.
  std::atomic<bool> closed{false};  // Nothing is written to it any more.
};
using SlicePtr = std::shared_ptr<Slice>;

// The smallest class that is at least the retention: 1 h, 1 d, 7 d, 30 d, else forever (0).
int64_t SliceClassOf(absl::Duration retention);
// How long a slice of the class stays open: an eighth of its age; forever: 30 days.
absl::Duration SliceAge(int64_t class_seconds);

}  // namespace acta
