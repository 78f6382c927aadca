#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace acta::cli {

// Collects printed events and writes them in large pieces; what is written may be committed.
//
// Threads: one.
class EventPrinter {
 public:
  // One past the last written event of a partition.
  using Written =
      absl::AnyInvocable<void(const std::string& topic, int32_t partition, int64_t next_offset)>;

  explicit EventPrinter(Written written) : written_(std::move(written)) {}

  // `text` is everything up to `next_offset` of the partition, in order. Errors: of writing.
  absl::Status Add(absl::string_view text, const std::string& topic, int32_t partition,
                   int64_t next_offset);
  // Writes what is collected, then tells `written`. Once that has failed nothing is written any
  // more, as part of it may be out, and each further call answers the error again.
  absl::Status Flush();
  bool empty() const { return positions_.empty(); }

 private:
  Written written_;
  std::string text_;
  std::map<std::pair<std::string, int32_t>, int64_t> positions_;
  absl::Status status_;  // Of writing.
};

}  // namespace acta::cli
