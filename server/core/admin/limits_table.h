#pragma once

#include <cstdint>
#include <vector>

#include "acta/v1/admin.pb.h"
#include "server/core/claims/claim_rules.h"
#include "server/core/groups/group_registry.h"
#include "server/core/publish/publish_limits.h"
#include "server/core/schedules/schedules.h"
#include "server/core/subscribe/subscription_hub.h"
#include "server/core/topics/topic_limits.h"
#include "storage/log/disk_guard.h"

namespace acta {

// Limits of the edge, known to the listener.
struct ConnectionLimits {
  int64_t max_connections = 4096;
  int64_t max_connections_per_address = 256;
  int64_t max_streams_per_connection = 128;
};

// Limits of the edge beside its connections.
struct EdgeLimits {
  ConnectionLimits connections;
  int64_t max_http_connections = 0;
  int64_t max_unanswered_bytes = 0;
  int64_t max_buffer_bytes = 0;
  int64_t max_metadata_bytes = 0;
  int64_t max_cold_calls = 0;
  int64_t max_claim_calls = 0;
  int64_t max_waiting_publish_bytes = 0;
  int64_t max_series = 0;
  int64_t max_open_files = 0;  // As the process was allowed at the start.
};

// Limits of the engine.
struct StorageLimits {
  int64_t in_flight_bytes = 0;
  int64_t tail_cache_bytes = 0;
  int64_t memtable_bytes = 0;
  int64_t dedupe_bytes = 0;
  int64_t dedupe_max_ids = 0;
  int32_t max_slices = 0;
  DiskWatermarks watermarks;
};

struct ServerLimits {
  TopicLimits topics;
  PublishLimits publish;
  ScheduleLimits schedules;
  SubscribeLimits subscribe;
  GroupLimits groups;
  ClaimLimits claims;
  EdgeLimits edge;
  StorageLimits storage;
};

// How much of the server-wide limits is in use.
struct LimitUse {
  int64_t partitions = 0;
  int64_t scheduled_events = 0;
  int64_t groups = 0;
  int64_t connections = 0;
  int64_t http_connections = 0;
  int64_t open_files = 0;
  int64_t waiting_fetches = 0;
  int64_t fetch_bytes = 0;
  int64_t in_flight_bytes = 0;
  int64_t tail_cache_bytes = 0;
  int64_t dedupe_bytes = 0;
  int64_t slices = 0;
  int64_t disk_free_bytes = 0;
  int64_t disk_total_bytes = 0;
};

// Every limit as a row. One that a property sets has the property's name, section.key, and so have
// the errors that speak of it; a name without a dot is a limit that is fixed. Limits of one call
// or one thing have no current use.
std::vector<v1::Limit> LimitsTable(const ServerLimits& limits, const LimitUse& use);

}  // namespace acta
