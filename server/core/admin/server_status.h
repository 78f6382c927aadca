#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "acta/v1/admin.pb.h"
#include "server/core/access/authorizer.h"
#include "server/core/admin/backups.h"
#include "server/core/admin/limits_table.h"
#include "server/core/admin/quiet_scrub.h"
#include "server/core/groups/group_registry.h"
#include "server/core/schedules/schedules.h"
#include "server/core/subscribe/subscription_hub.h"
#include "server/core/topics/topic_registry.h"
#include "storage/base/mutex.h"
#include "storage/log_engine.h"

namespace acta {

// What does not change while the server runs, and what only the edge can count. A function that is
// not set counts 0; `open` not set is open. They are called on any thread and must not block.
struct ServerFacts {
  std::string version;
  std::string grpc_address;
  std::string http_address;
  absl::Time start_time;  // By LogEngine::Now().
  int64_t pid = 0;
  bool insecure = false;
  int32_t format_version = 0;
  std::vector<std::pair<std::string, std::string>> libraries;  // Name, version.
  ServerLimits limits;
  std::function<bool()> open;  // It neither starts nor stops.
  std::function<int64_t()> connections;
  std::function<int64_t()> http_connections;
  std::function<int64_t()> open_files;
  std::function<int64_t()> publish_streams;
  std::function<int64_t()> index_lag_events;
};

// Why no work can be done now; empty: it can. `open`: it neither starts nor stops. Does not block.
std::string WhyNotReady(bool open, const LogEngine& engine);

// ServerStatus answers the methods of acta.v1.Admin that speak of the server itself.
//
// Threads:   any. Scrub() blocks on the disk.
// Ownership: borrows everything in Deps.
// Errors:    INVALID_ARGUMENT naming the field.
class ServerStatus {
 public:
  struct Deps {
    LogEngine& engine;
    const TopicRegistry& topics;
    const Schedules& schedules;
    const GroupRegistry& groups;
    const SubscriptionHub& hub;
    ServerFacts facts;
    // Null: nothing is told of them.
    const Backups* backups = nullptr;
    QuietScrub* scrub = nullptr;
  };
  explicit ServerStatus(Deps deps);

  v1::GetServerResponse GetServer() const;
  v1::GetStatusResponse GetStatus() const;
  v1::GetLimitsResponse GetLimits() const;
  absl::StatusOr<v1::ScrubResponse> Scrub(const Caller& caller,
                                          const v1::ScrubRequest& request) const;
  absl::StatusOr<v1::AcceptClockResponse> AcceptClock(const Caller& caller,
                                                      const v1::AcceptClockRequest& request) const;
  absl::StatusOr<v1::SetLogLevelResponse> SetLogLevel(const Caller& caller,
                                                      const v1::SetLogLevelRequest& request) const;

  // What an operator should look at, worst last. An alarm's `since` is when this was first asked
  // while it stood.
  std::vector<v1::Alarm> Alarms() const;

 private:
  const Deps deps_;
  mutable Mutex mu_;  // Leaf.
  mutable std::map<std::string, absl::Time> since_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
