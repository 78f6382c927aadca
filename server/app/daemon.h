#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "acta/v1/admin.pb.h"
#include "server/app/daemon_options.h"
#include "server/app/listen_address.h"
#include "server/app/ready_file.h"
#include "server/core/access/authorizer.h"
#include "server/core/admin/backups.h"
#include "server/core/admin/quiet_scrub.h"
#include "server/core/admin/server_status.h"
#include "server/core/claims/claim_registry.h"
#include "server/core/groups/group_registry.h"
#include "server/core/journeys/journey_indexer.h"
#include "server/core/journeys/journeys.h"
#include "server/core/schedules/schedules.h"
#include "server/core/settle/delivered_causes.h"
#include "server/core/settle/settler.h"
#include "server/core/subscribe/subscription_hub.h"
#include "server/core/topics/topic_registry.h"
#include "server/core/traces/trace_feed.h"
#include "server/exec/asio_pool.h"
#include "server/exec/asio_timer.h"
#include "server/http/http_server.h"
#include "server/otlp/span_exporter.h"
#include "server/rpc/rpc_server.h"
#include "server/telemetry/telemetry.h"
#include "storage/base/clock.h"
#include "storage/base/fatal.h"
#include "storage/log_engine.h"

namespace acta {

// How the daemon gets its store: LocalLogEngine::Open, or in tests the same over a disk whose power
// can be cut and behind a decorator that breaks promises.
using OpenEngine = std::function<absl::StatusOr<std::unique_ptr<LogEngine>>(
    const LocalEngineOptions& options, FatalSink& sink, const Clock& clock)>;
absl::StatusOr<std::unique_ptr<LogEngine>> OpenLocalEngine(const LocalEngineOptions& options,
                                                           FatalSink& sink, const Clock& clock);

// Daemon is the composition root: builds every room, wires them, and stops them in reverse.
//
// Threads: one, but for what the rooms call.
class Daemon {
 public:
  using ConfigPage = std::function<v1::GetConfigResponse()>;

  // Ready for work when it returns. Errors: those of LocalLogEngine::Open(), a listener that
  // cannot be opened, records that cannot be read.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(const DaemonOptions& options,
                                                       ConfigPage config, const OpenEngine& open);
  ~Daemon();  // Stops.
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  const ReadyNote& note() const { return note_; }

  // Makes those of the options count that a reload may change.
  void Reload(const DaemonOptions& options);

  // Not ready any more; publishes are refused with a delay, what is in flight is finished, members
  // are handed over, everything accepted is on disk. Blocks, at most about twice the grace.
  void Stop();

 private:
  Daemon(const DaemonOptions& options, ConfigPage config);
  absl::Status OpenStore(const OpenEngine& open);
  absl::Status LoadDomain();
  absl::Status StartJourneys();
  absl::Status OpenListeners();
  // Publishes, subscriptions and admin calls are translated to these.
  PublishSession::Deps PublishDeps();
  RpcDeps MakeRpcDeps();
  ServerFacts MakeFacts() const;
  void CollectMetrics(MetricWriter& writer) const;
  void CollectEdges(MetricWriter& writer) const;
  void CollectSpans(MetricWriter& writer) const;

  const DaemonOptions options_;
  const ConfigPage config_;
  const SystemClock clock_;
  const AllowAll authorizer_;
  ExitFatalSink fatal_;
  Telemetry telemetry_;
  std::atomic<bool> open_{false};  // It neither starts nor stops.
  bool stopped_ = false;
  ReadyNote note_;
  absl::Time started_;  // By LogEngine::Now().

  // In the order built; destroyed in reverse.
  std::unique_ptr<LogEngine> engine_;
  std::unique_ptr<AsioPool> pool_;
  std::unique_ptr<AsioTimer> timer_;
  std::unique_ptr<TopicRegistry> topics_;
  std::unique_ptr<Schedules> schedules_;
  std::unique_ptr<GroupRegistry> groups_;
  std::atomic<const GroupRegistry*> loaded_groups_{nullptr};  // Asked by the engine's maintenance.
  std::unique_ptr<DeliveredCauses> causes_;
  std::unique_ptr<Settler> settler_;
  std::unique_ptr<ClaimRegistry> claims_;
  std::unique_ptr<SpanExporter> exporter_;  // Null: no spans are wanted.
  std::unique_ptr<TraceFeed> traces_;
  std::unique_ptr<JourneyIndexer> indexer_;
  std::unique_ptr<Journeys> journeys_;
  std::unique_ptr<SubscriptionHub> hub_;
  std::unique_ptr<Backups> backups_;
  std::unique_ptr<QuietScrub> scrub_;
  std::unique_ptr<ServerStatus> status_;
  std::unique_ptr<RpcServer> rpc_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace acta
