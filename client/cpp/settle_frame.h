#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "acta/v1/subscriber.pb.h"

namespace acta::client {

// Most events that one settle frame may speak of.
inline constexpr int64_t kMaxSettledEvents = 65'536;

// What becomes of events that were leased.
struct Verdict {
  v1::SettleKind kind = v1::SETTLE_KIND_ACK;
  std::optional<absl::Duration> delay;
  std::string reason;
  std::string text;
};

// Errors: INVALID_ARGUMENT for words that the broker would not take.
absl::Status CheckWords(const Verdict& verdict);

// Collects settlements up to what the broker takes in one frame.
class SettleFrame {
 public:
  // Of the events of the range, first and end. False: it does not fit any more. The first does when
  // it has at most kMaxSettledEvents.
  bool Add(uint64_t assignment, std::pair<int64_t, int64_t> range, const Verdict& verdict);
  // How many events still fit.
  int64_t room() const { return kMaxSettledEvents - events_; }

  v1::Settle Finish() && { return std::move(settle_); }

 private:
  v1::Settle settle_;
  int64_t events_ = 0;
  size_t bytes_ = 0;
};

}  // namespace acta::client
