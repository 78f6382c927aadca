#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace acta {

// acta.v1.CausedBy in place.
struct CausedByView {
  absl::string_view token;
  int64_t offset = 0;
  friend bool operator==(const CausedByView&, const CausedByView&) = default;
  friend bool operator<(const CausedByView& a, const CausedByView& b) {
    return std::tie(a.token, a.offset) < std::tie(b.token, b.offset);
  }
};

// acta.v1.PartitionBatch in place: views of the frame's bytes.
struct PartitionBatchView {
  absl::string_view topic;
  std::optional<int32_t> partition;
  uint64_t producer_id = 0;
  uint32_t producer_epoch = 0;
  uint32_t first_sequence = 0;
  std::optional<CausedByView> caused_by;
  bool expects = false;  // `expect` is there, with or without an offset.
  std::optional<int64_t> expected_end;
  std::optional<uint32_t> payload_crc32c;
  int64_t deliver_at_us = 0;      // 0: now.
  int32_t unsupported_field = 0;  // Number of a reserved field that is there; 0: none.
  uint64_t count = 0;             // Of events.
  absl::string_view events;       // Whole `events` elements in order, not looked into.
  // Owns `events` when other fields lay between them and they had to be gathered; else null.
  std::shared_ptr<const std::string> gathered;
};

// acta.v1.PublishOpen in place, without the wanted features: none is known.
struct PublishOpenView {
  absl::string_view topic;
  int32_t level = 0;
  absl::string_view app;
  absl::string_view app_version;
  absl::string_view instance;
  absl::string_view tenant;
};

// acta.v1.PublishFrame in place.
struct PublishFrameView {
  uint64_t frame_id = 0;
  int32_t level = 0;
  bool atomic = false;
  absl::string_view tenant;
  std::optional<PublishOpenView> open;
  uint64_t batch_count = 0;
  // The first `max_batches` of them.
  std::vector<PartitionBatchView> batches;
};

// Parses an encoded acta.v1.PublishFrame. Batches above `max_batches` are counted and not looked
// into, so that memory stays in proportion to the limit. `frame` is overwritten; its vector is used
// again. Unknown fields are ignored but must be well formed; what is stricter than the generated
// parser is the list of event_scanner.h, for the frame's own messages too. Events are found by
// their lengths only: scan each with ScanEvent().
//
// Errors: MALFORMED_MESSAGE; `frame` then means nothing.
absl::Status ParsePublishFrame(absl::string_view bytes, size_t max_batches,
                               PublishFrameView* frame);

}  // namespace acta
