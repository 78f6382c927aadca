#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cpp/channel.h"
#include "storage/base/mutex.h"
#include "tests/oracle/records.h"

namespace acta::oracle {

struct LoadOptions {
  std::string server;
  std::string folder;  // For the history.
  std::string topic = "oracle";
  std::string group = "oracle";
  int32_t partitions = 4;
  // That each partition of the topic keeps; 0: all. A group would be overtaken sooner or later, so
  // such a load has no members.
  int64_t retention_bytes = 0;
  uint64_t seed = 1;
  // Zero: until Stop().
  absl::Duration duration;
  // Of each of the four streaming publishers; the two unary ones go as fast as answers come, at
  // most a tenth of it.
  int64_t events_per_second = 1000;
  int32_t members = 2;
  // Leaves and joins again after so many deliveries, and both take turns. 0: never.
  int32_t rejoin_after = 200;
  // Of each QUEUE group. Above 0 the load has two publishers, whose events have keys, and these
  // workers, and neither readers nor members.
  int32_t workers = 0;
  // One QUEUE group, by key, whose workers fail no event.
  bool healthy = false;
  int32_t steps =
      20;  // Percent of acks, nacks and rejects that are made in one write with a result.
  int32_t keys = 100;  // Of each publisher, with workers. So many that each partition has one.
  // The longest delay that a worker asks for.
  absl::Duration longest_delay = absl::Seconds(11);
  // What the broker may be away before a client gives up.
  absl::Duration patience = absl::Seconds(60);
};

// Told once, by a signal or when time is over.
class StopFlag {
 public:
  void Stop();
  bool stopped() const;
  // True when stopped, at the latest after `time`.
  bool WaitFor(absl::Duration time);

 private:
  mutable Mutex mu_;  // Leaf.
  CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

// What all clients of a load share.
struct LoadContext {
  const LoadOptions& options;
  std::shared_ptr<client::Channel> channel;
  StopFlag& stop;
};

// Calls again while the broker is away, as long as the load has patience.
absl::Status Insist(const LoadContext& load, const std::function<absl::Status()>& call);

// Publishes, reads as a group and without one, until told to stop, while the broker comes and goes;
// then lets the group read to the end, and writes down what the log holds. Everything is in the
// history then. Errors: a client that gave up, a history that cannot be written.
absl::Status RunLoad(const LoadOptions& options, StopFlag& stop);

}  // namespace acta::oracle
