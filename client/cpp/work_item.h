#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "client/cpp/delivery.h"

namespace acta::client {

// Events of one partition that were leased together: all are the same attempt, and their leases end
// at the same time unless they are extended.
class WorkItem : public Delivery {
 public:
  // From 1; each failure before it counts.
  int32_t attempt() const { return attempt_; }
  // How often each of the events was redriven, and the last redrive if it was one with a rate.
  int32_t redrives() const { return redrives_; }
  const std::string& redrive_id() const { return redrive_id_; }
  // By the broker's clock, as it was when they were leased.
  absl::Time lease_until() const { return absl::FromUnixMicros(lease_until_us_); }

 private:
  friend class WorkerState;

  WorkItem(Delivery delivery, uint64_t lease) : Delivery(std::move(delivery)), lease_(lease) {}

  uint64_t lease_ = 0;  // Of all items of a worker, which one.
};

}  // namespace acta::client
