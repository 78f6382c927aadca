#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace acta::cli {

// Where reading ends, partition by partition, and whether it has got there. A partition without an
// end is read for ever.
//
// Threads: one.
class EndOffsets {
 public:
  // `end` is one past the last offset wanted.
  void Set(absl::string_view topic, int32_t partition, int64_t end);

  // The offset is before the end.
  bool Wants(absl::string_view topic, int32_t partition, int64_t offset) const;
  // Everything before `next_offset` is done.
  void Advance(absl::string_view topic, int32_t partition, int64_t next_offset);

  bool bounded() const { return !partitions_.empty(); }
  // Every partition that has an end is at it.
  bool AllReached() const { return bounded() && open_ == 0; }

 private:
  struct End {
    int64_t offset = 0;
    bool reached = false;
  };
  std::map<std::pair<std::string, int32_t>, End> partitions_;
  int64_t open_ = 0;  // Not reached.
};

}  // namespace acta::cli
