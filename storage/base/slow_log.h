#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/base/log.h"

namespace acta {

// What took longer than it should: counted, and told in the log.
//
// Threads: any. A line of one operation at most each second; the next one says how many were left
// out.
enum class SlowOperation : uint8_t { kWrite, kSync, kRead, kCall };
inline constexpr size_t kSlowOperations = 4;
absl::string_view Name(SlowOperation operation);

// From how long on an operation is slow; zero: none is. 1 s at first.
void SetSlowThreshold(absl::Duration threshold);
bool IsSlow(absl::Duration took);

// Of one that is slow.
void NoteSlow(SlowOperation operation, absl::Duration took, std::initializer_list<LogField> fields);

// By SlowOperation, since the process began.
std::array<int64_t, kSlowOperations> SlowCounts();

// Notes how long it lives, with one field.
class SlowTimer {
 public:
  SlowTimer(SlowOperation operation, absl::string_view field, absl::string_view value);
  ~SlowTimer();
  SlowTimer(const SlowTimer&) = delete;

 private:
  const SlowOperation operation_;
  const absl::string_view field_;
  const absl::string_view value_;
  const int64_t begin_ns_;
};

}  // namespace acta
