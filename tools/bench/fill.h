#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "tools/bench/bed.h"
#include "tools/bench/event_form.h"

namespace acta::bench {

// Publishes `bytes` of events in prepared batches, at `level`. Answers how many events.
absl::StatusOr<int64_t> Fill(const Bed& bed, const EventForm& form, const std::string& topic,
                             int64_t bytes, v1::AckLevel level = v1::ACK_LEVEL_OS);

// A worker of the QUEUE group takes so many events, which are there, and says that they shall wait
// for an hour.
absl::Status Park(const Bed& bed, const std::string& group, int64_t events);

// Moves what is published from now on to a time slice of its own. `number`: of such a change of the
// topic, from 0 on.
absl::Status MoveToOtherSlice(const Bed& bed, const std::string& topic, int32_t number);

// From a new subscription to the last event there is now. Answers the seconds it took. Errors:
// also DATA_LOSS when there are not `events`.
absl::StatusOr<double> ReadAll(const Bed& bed, const std::string& topic, bool parse,
                               int64_t events);

}  // namespace acta::bench
