#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/bench/measure.h"

namespace acta::bench {

// What publishes.
enum class Source {
  kPrepared,  // Batches of 64 KiB that are ready, for one partition after the other.
  kSdk,       // The SDK builds each event, and the consumer parses each.
  kKeyed,     // The SDK builds each event, each for another partition than the one before.
};

// One way to load the broker as much as it takes.
struct Load {
  v1::AckLevel level = v1::ACK_LEVEL_OS;
  Profile profile = Profile::kLog;
  int32_t event_bytes = 100;
  int32_t partitions = 16;
  int32_t consumers = 1;  // More than one: groups.
  Source source = Source::kPrepared;
  bool grouped = false;  // One consumer is a group, too.
};

// What came of it.
struct LoadRun {
  // Of the slower of publisher and consumer; with several consumers, of all deliveries.
  double events_per_second = 0;
  std::optional<double> broker_cpu_s_per_million, client_cpu_s_per_million;
  std::optional<double> peak_rss_mib, disk_bytes_per_byte;
};

// The publisher's and the consumers' progress over `seconds`, after `warm_up_s`, on a topic of its
// own. Errors: also DATA_LOSS when not everything arrived.
absl::StatusOr<LoadRun> RunLoad(Bed& bed, const Load& load, double warm_up_s, double seconds);

// Several loads by turns, twice, each for half of the time of a measure: the machine drifts. The
// means, in their order.
absl::StatusOr<std::vector<LoadRun>> CompareLoads(Bed& bed, const std::vector<Load>& loads);

}  // namespace acta::bench
