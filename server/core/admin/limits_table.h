#pragma once

#include <cstdint>
#include <vector>

#include "acta/v1/admin.pb.h"
#include "server/core/groups/group_registry.h"
#include "server/core/publish/publish_limits.h"
#include "server/core/subscribe/subscription_hub.h"
#include "server/core/topics/topic_limits.h"

namespace acta {

// Limits of the edge, known to the listener.
struct ConnectionLimits {
  int64_t max_connections = 4096;
  int64_t max_connections_per_address = 256;
  int64_t max_streams_per_connection = 128;
};

struct ServerLimits {
  TopicLimits topics;
  PublishLimits publish;
  SubscribeLimits subscribe;
  GroupLimits groups;
  ConnectionLimits connections;
  int64_t commit_queue_bytes = 0;
};

// How much of the server-wide limits is in use.
struct LimitUse {
  int64_t partitions = 0;
  int64_t groups = 0;
  int64_t connections = 0;
  int64_t commit_queue_bytes = 0;
  int64_t waiting_fetches = 0;
  int64_t fetch_bytes = 0;
};

// Every limit as a row; limits of one call or one thing have no current use.
std::vector<v1::Limit> LimitsTable(const ServerLimits& limits, const LimitUse& use);

}  // namespace acta
