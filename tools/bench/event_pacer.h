#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "tools/bench/acks.h"
#include "tools/bench/bed.h"
#include "tools/bench/event_form.h"

namespace acta::bench {

// An open-loop schedule: event i is due at begin + i / rate, whatever became of those before, and
// carries the time it was due.
struct Pace {
  double events_per_second = 20'000;
  // Zero: each event is handed to the SDK when it is due. Else what became due in so long is sent
  // together, as prepared batches of one partition.
  int64_t tick_nanos = 0;
  // Single events of one partition in a row.
  int64_t stay = 16;
};

// Publishes at a pace, late rather than never: an event that leaves late has a longer latency.
// The events of a partition are numbered from 0 on, over all runs.
//
// Threads: one; acknowledged() from any.
class EventPacer {
 public:
  // All are borrowed.
  EventPacer(const Bed& bed, const EventForm& form, std::string topic, v1::AckLevel level);

  // From `begin` (nanoseconds of NowNanos()) to `end`. Answers when everything is acknowledged.
  absl::Status Run(const Pace& pace, int64_t begin, int64_t end);
  int64_t count() const { return count_; }
  // Of prepared batches, so far.
  int64_t acknowledged() const { return acks_.stored(); }

 private:
  absl::Status SendSingles(const Pace& pace, int64_t begin, int64_t due);
  absl::Status SendTick(const Pace& pace, int64_t begin, int64_t due);

  const EventForm& form_;
  const std::string topic_;
  Acks acks_;
  client::Publisher publisher_;
  int64_t count_ = 0;  // Of this run: the number of the next event.
  uint64_t turn_ = 0;  // Of the batches.
  // By partition.
  std::vector<v1::Event> events_;
  std::vector<uint64_t> next_numbers_;
};

}  // namespace acta::bench
