#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "client/cpp/delivery.h"
#include "client/cpp/export.h"

namespace acta::client {

// Events of one partition that were leased together: all are the same attempt, and their leases end
// at the same time unless they are extended.
//
// Threads: as Delivery.
class ACTA_CLIENT_EXPORT WorkItem : public Delivery {
 public:
  // From 1; each failure before it counts.
  int32_t attempt() const;
  // How often each of the events was redriven, and the last redrive if it was one with a rate.
  int32_t redrives() const;
  const std::string& redrive_id() const;
  // By the broker's clock, as it was when they were leased.
  absl::Time lease_until() const;

 private:
  friend class WorkerState;

  ACTA_CLIENT_HIDDEN WorkItem(Delivery delivery, uint64_t lease);
  ACTA_CLIENT_HIDDEN uint64_t lease() const;
};

}  // namespace acta::client
