#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "acta/v1/groups.pb.h"

namespace acta::cli {

// A place in a topic, as --from and --to write it: earliest, latest, OFFSET, TIME or P:OFFSET.
struct Position {
  enum class Kind { kEarliest, kLatest, kOffset, kTime, kPartitionOffset };

  Kind kind = Kind::kLatest;
  int64_t offset = 0;     // kOffset and kPartitionOffset.
  int32_t partition = 0;  // kPartitionOffset.
  absl::Time time;        // kTime; always append time.
};

// Errors: a usage error that shows the accepted forms.
absl::StatusOr<Position> ParsePosition(absl::string_view text, absl::Time now);

// For every kind but kPartitionOffset, which has no such form and gives its offset.
v1::StartPosition ToStartPosition(const Position& position);

}  // namespace acta::cli
