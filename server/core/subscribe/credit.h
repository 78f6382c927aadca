#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "acta/v1/subscriber.pb.h"
#include "server/core/subscribe/subscribe_limits.h"

namespace acta {

// What the client still lets the broker send. Bytes are those of the events (their elements in the
// delivered batches). An event may exceed the bytes left, so that one large event never stops a
// stream; what it took too much is missing from the next credit.
class Credit {
 public:
  explicit Credit(const SubscribeLimits& limits) : limits_(limits) {}

  // Zero means the default. Errors: INVALID_ARGUMENT, LIMIT_EXCEEDED.
  absl::Status Start(const v1::Credit& initial);
  // Errors: as Start(); nothing is added then.
  absl::Status Add(const v1::Credit& more);
  void Spend(int64_t events, int64_t bytes) {
    events_ -= events;
    bytes_ -= bytes;
  }

  // What was spent on what is not sent.
  void Refund(int64_t events, int64_t bytes) { Spend(-events, -bytes); }

  bool open() const { return events_ > 0 && bytes_ > 0; }
  int64_t events() const { return events_; }
  int64_t bytes() const { return bytes_; }

 private:
  const SubscribeLimits& limits_;
  int64_t events_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace acta
