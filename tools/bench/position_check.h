#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "client/cpp/delivery.h"
#include "proto/support/wire.h"
#include "tools/bench/event_form.h"

namespace acta::bench {

// Every event once, in order and as it was published. For a topic that one EventPacer published to:
// the number of an event is its offset.
//
// Threads: one at a time.
class PositionCheck {
 public:
  explicit PositionCheck(const EventForm& form);

  // Positions of all events; the number of the first; all bytes of one in kContentEvery. Errors:
  // DATA_LOSS, naming the partition and the offset.
  absl::Status Take(const client::Delivery& delivery);
  absl::Status Take(int32_t partition, int64_t base_offset, int64_t next_offset,
                    EventElements elements);
  // Events whose content was compared.
  int64_t compared() const { return compared_; }

  static constexpr int64_t kContentEvery = 4096;  // Of the events of a partition.

 private:
  absl::Status CheckContent(int32_t partition, int64_t offset, absl::string_view event);

  const EventForm& form_;
  std::vector<int64_t> next_;  // By partition.
  int64_t compared_ = 0;
};

}  // namespace acta::bench
