#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "server/core/admin/backups.h"
#include "server/core/admin/quiet_scrub.h"
#include "server/core/claims/claim_rules.h"
#include "server/core/groups/group_registry.h"
#include "server/core/journeys/journey_indexer.h"
#include "server/core/publish/publish_limits.h"
#include "server/core/schedules/schedules.h"
#include "server/core/subscribe/subscription_hub.h"
#include "server/core/topics/topic_limits.h"
#include "server/http/http_server.h"
#include "server/otlp/span_exporter.h"
#include "server/rpc/edge.h"
#include "server/telemetry/telemetry.h"
#include "storage/base/log.h"
#include "storage/log/local_engine_options.h"

namespace acta {

struct ListenOptions {
  std::string grpc = "127.0.0.1:7450";
  std::string http = "127.0.0.1:7451";
  std::string ready_file;  // Empty: none.
  bool insecure = false;
  absl::Duration stop_grace = absl::Seconds(10);
};

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  absl::Duration slow = absl::Seconds(1);
};

// The engine by itself keeps no ledger.
inline LocalEngineOptions StorageDefaults() {
  LocalEngineOptions options;
  options.ledger_retention = absl::Hours(24 * 7);
  return options;
}

// The options of every component; what the properties are bound to.
struct DaemonOptions {
  ListenOptions listen;
  LocalEngineOptions storage = StorageDefaults();
  int64_t slice_seconds = 0;  // Becomes storage.slice_age.
  int32_t read_threads = 0;   // 0: one a core, at least 4.
  int64_t catch_up_rate = 0;  // Becomes subscribe.catch_up_bytes_per_second; 0: 64 MiB a core.
  TopicLimits topics;
  PublishLimits publish;
  ScheduleLimits schedules;
  JourneyLimits journeys;
  SubscribeLimits subscribe;
  GroupLimits groups;
  ClaimLimits claims;
  RpcLimits rpc;
  HttpLimits http;
  BackupOptions backup;
  ScrubOptions scrub;
  LogOptions log;
  TelemetryOptions telemetry;
  OtlpOptions otlp;
};

}  // namespace acta
