#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace acta {

// Control frames of a stream that wait to be settled, or answers that wait for a client that does
// not read.
inline constexpr size_t kMaxUnansweredControls = 16384;
// Of control frames of a stream that wait for their turn.
inline constexpr size_t kMaxWaitingControlBytes = 1 << 20;
// Errors of single settlements of a stream that wait until their frames are settled.
inline constexpr size_t kMaxWaitingSettleErrors = 65'536;
// Of a start: each that is not known is named, in many times its bytes.
inline constexpr int32_t kMaxWantedFeatures = 64;
// One `settle` of a member of a QUEUE group.
inline constexpr int32_t kMaxSettlements = 10000;
inline constexpr int32_t kMaxSettledEvents = 65536;
// One Fetch.
inline constexpr int32_t kMaxFetchEvents = 65536;
inline constexpr int32_t kMaxFetchBytes = 16 << 20;
inline constexpr absl::Duration kMaxFetchWait = absl::Seconds(60);

struct SubscribeLimits {
  int64_t default_credit_events = 1000;
  int64_t default_credit_bytes = 16 << 20;
  int64_t max_credit_events = 10'000'000;
  int64_t max_credit_bytes = int64_t{1} << 30;
  int32_t default_max_frame_bytes = 4 << 20;
  int32_t min_max_frame_bytes = 64 << 10;
  int32_t max_max_frame_bytes = 17 << 20;
  int32_t target_frame_bytes = 1 << 20;  // What is sent unless one event alone is larger.
  // 10,000 positions of a start, however large their numbers, or 10,000 acks.
  int32_t max_control_bytes = 256 << 10;
  absl::Duration member_timeout = absl::Seconds(15);
  int64_t max_waiting_fetches = 10000;
  int64_t max_fetch_bytes = int64_t{64} << 20;  // Of all pages that are not yet with their client.
  // Read from the disk for streams while events are appended, if not twice those are more; 0: as
  // fast as it goes.
  int64_t catch_up_bytes_per_second = 0;
};

}  // namespace acta
