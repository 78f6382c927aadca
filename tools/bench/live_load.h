#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "tools/bench/event_pacer.h"
#include "tools/bench/latencies.h"
#include "tools/bench/measure.h"

namespace acta::bench {

// Events at a pace, from the time each was due to the consumer that has it.
struct EndToEnd {
  v1::AckLevel level = v1::ACK_LEVEL_OS;
  Profile profile = Profile::kLog;
  Pace pace;
};

struct LiveRun {
  Latencies latencies;
  Outcome cpu;  // Of broker and client, without values.
};

// On a topic of its own of 16 partitions, `seconds` after `warm_up_s`. `meanwhile`: begun, with the
// topic, when the warm-up is over.
absl::StatusOr<LiveRun> RunLive(Bed& bed, const EndToEnd& kind, double warm_up_s, double seconds,
                                const std::function<void(const std::string&)>& meanwhile = nullptr);

}  // namespace acta::bench
