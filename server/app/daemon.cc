#include "server/app/daemon.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <thread>
#include <utility>

#include "server/app/claim_metrics.h"
#include "server/app/daemon_properties.h"
#include "server/app/engine_metrics.h"
#include "server/app/group_metrics.h"
#include "server/app/journey_metrics.h"
#include "server/app/library_versions.h"
#include "server/app/topic_metrics.h"
#include "server/app/upkeep_metrics.h"
#include "server/telemetry/process_metrics.h"
#include "storage/base/log.h"
#include "storage/base/slow_log.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"
#include "storage/log/local_log_engine.h"

namespace acta {
namespace {

constexpr int kLeastPoolThreads = 4;
// For the indexer to see what was published last, before the end.
constexpr absl::Duration kLastSpans = absl::Seconds(2);

int PoolThreads(int32_t wanted) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return wanted > 0 ? wanted : std::max(kLeastPoolThreads, cores);
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogEngine>> OpenLocalEngine(const LocalEngineOptions& options,
                                                           FatalSink& sink, const Clock& clock) {
  return LocalLogEngine::Open(options, sink, clock);
}

Daemon::Daemon(const DaemonOptions& options, ConfigPage config)
    : options_(options), config_(std::move(config)), telemetry_(options.telemetry) {}

Daemon::~Daemon() { Stop(); }

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(const DaemonOptions& options,
                                                      ConfigPage config, const OpenEngine& open) {
  std::unique_ptr<Daemon> daemon(new Daemon(options, std::move(config)));
  RETURN_IF_ERROR(daemon->OpenStore(open));
  RETURN_IF_ERROR(daemon->LoadDomain());
  RETURN_IF_ERROR(daemon->OpenListeners());
  return daemon;
}

absl::Status Daemon::OpenStore(const OpenEngine& open) {
  LocalEngineOptions storage = options_.storage;
  // The file of a run that was killed names a process that is gone, and a store that is not ready.
  storage.when_locked = [this] { RemoveReadyFile(options_.listen.ready_file); };
  storage.before_trim = [this](PartitionId partition, Offset first) {
    const GroupRegistry* const groups = loaded_groups_.load();
    if (groups == nullptr) return absl::UnavailableError("the groups are not loaded yet");
    return groups->KeepCopies(partition, first);
  };
  storage.after_trim = [this](const std::vector<PartitionId>& partitions) {
    if (const GroupRegistry* const groups = loaded_groups_.load()) groups->TrimEnded(partitions);
  };
  ASSIGN_OR_RETURN(engine_, open(storage, fatal_, clock_));
  started_ = engine_->Now();
  return absl::OkStatus();
}

absl::Status Daemon::LoadDomain() {
  pool_ = std::make_unique<AsioPool>(PoolThreads(options_.read_threads));
  timer_ = std::make_unique<AsioTimer>(*pool_);
  topics_ = std::make_unique<TopicRegistry>(*engine_, options_.topics);
  RETURN_IF_ERROR(topics_->Load());
  schedules_ = std::make_unique<Schedules>(
      Schedules::Deps{*engine_, *topics_, *pool_, *timer_, options_.schedules});
  RETURN_IF_ERROR(schedules_->Load());
  groups_ = std::make_unique<GroupRegistry>(GroupRegistry::Deps{
      *engine_, clock_, *topics_, authorizer_, *pool_, *timer_, options_.groups});
  RETURN_IF_ERROR(groups_->Load());
  loaded_groups_ = groups_.get();
  topics_->SetDeleteCheck(
      [this](const Topic& topic, bool force) { return groups_->CheckTopicDelete(topic, force); });
  topics_->SetChangeListener([this](const Topic& topic, bool deleted) {
    groups_->OnTopicChanged(topic, deleted);
    if (deleted) schedules_->ForgetTopic(topic.id);
  });
  claims_ = std::make_unique<ClaimRegistry>(
      ClaimRegistry::Deps{*engine_, *groups_, authorizer_, *timer_, options_.claims});
  hub_ = std::make_unique<SubscriptionHub>(SubscriptionHub::Deps{
      *engine_, clock_, *topics_, *groups_, authorizer_, *pool_, *timer_, options_.subscribe});
  causes_ = std::make_unique<DeliveredCauses>(
      DeliveredCauses::Deps{*engine_, *topics_, *groups_, authorizer_});
  settler_ = std::make_unique<Settler>(Settler::Deps{PublishDeps(), *groups_, *claims_, *pool_});
  return StartJourneys();
}

absl::Status Daemon::StartJourneys() {
  indexer_ = std::make_unique<JourneyIndexer>(*engine_, clock_, *topics_, options_.journeys);
  RETURN_IF_ERROR(indexer_->Load());
  if (!options_.otlp.endpoint.empty()) {
    ASSIGN_OR_RETURN(const OtlpTarget target, ParseOtlpEndpoint(options_.otlp.endpoint));
    exporter_ = std::make_unique<SpanExporter>(
        target, options_.otlp, SpanOrigin{ActaVersion(), std::string(engine_->store_id())}, clock_);
    traces_ =
        std::make_unique<TraceFeed>(TraceFeed::Deps{*engine_, *topics_, *groups_, *exporter_});
    indexer_->SetObserver(traces_.get());
  }
  journeys_ = std::make_unique<Journeys>(
      Journeys::Deps{*engine_, clock_, *topics_, authorizer_, *indexer_, *groups_, *pool_});
  indexer_->Start();
  return absl::OkStatus();
}

PublishSession::Deps Daemon::PublishDeps() {
  return {*engine_, *topics_, *schedules_, authorizer_, *causes_, options_.publish};
}

absl::Status Daemon::OpenListeners() {
  ASSIGN_OR_RETURN(const ListenAddress grpc, ParseListenAddress(options_.listen.grpc));
  ASSIGN_OR_RETURN(const ListenAddress http, ParseListenAddress(options_.listen.http));
  ASSIGN_OR_RETURN(rpc_, RpcServer::Start(grpc.host, grpc.port, MakeRpcDeps()));
  HttpPages pages{[this] { return WhyNotReady(open_.load(), *engine_); },
                  [this] { return telemetry_.Expose(); }, ActaVersion()};
  ASSIGN_OR_RETURN(http_, HttpServer::Start(http.host, http.port, std::move(pages), options_.http));
  note_ = {rpc_->address(), http_->address(), getpid(), engine_->store_id()};
  backups_ = std::make_unique<Backups>(*engine_, options_.backup);
  scrub_ = std::make_unique<QuietScrub>(*engine_, clock_, *topics_, options_.scrub);
  status_ = std::make_unique<ServerStatus>(ServerStatus::Deps{
      *engine_, *topics_, *schedules_, *groups_, *hub_, MakeFacts(), backups_.get(), scrub_.get()});
  telemetry_.AddCollector([this](MetricWriter& writer) { CollectMetrics(writer); });
  open_.store(true);
  rpc_->SetServing(true);
  return absl::OkStatus();
}

RpcDeps Daemon::MakeRpcDeps() {
  // The facts name the addresses, which are known once the listeners are open: no call is let
  // through before SetServing().
  AdminCalls admin{[this] { return status_->GetServer(); },
                   [this] { return status_->GetStatus(); },
                   config_,
                   [this] { return status_->GetLimits(); },
                   [this](const Caller& caller, const v1::ScrubRequest& request) {
                     return status_->Scrub(caller, request);
                   },
                   [this](const Caller& caller, const v1::AcceptClockRequest& request) {
                     return status_->AcceptClock(caller, request);
                   },
                   [this](const Caller& caller, const v1::SetLogLevelRequest& request) {
                     return status_->SetLogLevel(caller, request);
                   },
                   [this](const Caller& caller) { return backups_->Start(caller); },
                   [this] { return backups_->List(); },
                   [this](const Caller& caller) { return backups_->Stop(caller); },
                   [this](const Caller& caller, const v1::DeleteBackupRequest& request) {
                     return backups_->Delete(caller, request);
                   }};
  return {PublishDeps(),
          *topics_,
          *schedules_,
          *groups_,
          *claims_,
          *journeys_,
          authorizer_,
          telemetry_.rejections(),
          CallsOf(*hub_, *settler_),
          std::move(admin),
          *pool_,
          options_.rpc};
}

ServerFacts Daemon::MakeFacts() const {
  ServerFacts facts;
  facts.version = ActaVersion();
  facts.grpc_address = note_.grpc;
  facts.http_address = note_.http;
  facts.start_time = started_;
  facts.pid = note_.pid;
  facts.insecure = options_.listen.insecure;
  facts.format_version = kFormatVersion;
  facts.libraries = LibraryVersions();
  facts.limits = LimitsOf(options_);
  facts.open = [this] { return open_.load(); };
  facts.connections = [this] { return rpc_->counts().connections; };
  facts.http_connections = [this] { return http_->connections(); };
  facts.open_files = OpenDescriptors;
  facts.publish_streams = [this] { return rpc_->counts().publish_streams; };
  facts.index_lag_events = [this] { return indexer_->Measure().lag_events; };
  return facts;
}

void Daemon::CollectMetrics(MetricWriter& writer) const {
  const auto add = [&writer](Metric metric, int64_t value) {
    writer.Add(metric, static_cast<double>(value));
  };
  CollectEngine(*engine_, writer);
  add(Metric::kTopicsTopics, topics_->topic_count());
  add(Metric::kTopicsPartitions, topics_->partition_count());
  CollectTopics(*topics_, *engine_, writer);
  add(Metric::kSchedulesWaiting, schedules_->waiting());
  add(Metric::kSchedulesDelivered, schedules_->delivered());
  writer.Add(Metric::kSchedulesOverdue, absl::ToDoubleSeconds(schedules_->overdue()));
  add(Metric::kGroupsGroups, groups_->group_count());
  CollectGroups(*groups_, writer);
  CollectClaims(*claims_, writer);
  CollectJourneys(*indexer_, *engine_, writer);
  add(Metric::kSubscribeSubscriptions, hub_->subscription_count());
  add(Metric::kSubscribeDeliveredEvents, hub_->events_delivered());
  add(Metric::kSubscribeDeliveredBytes, hub_->bytes_delivered());
  add(Metric::kSubscribeWaitingFetches, hub_->waiting_fetches());
  add(Metric::kSubscribeFetchBytes, hub_->fetch_bytes());
  CollectEdges(writer);
  const std::array<int64_t, kSlowOperations> slow = SlowCounts();
  for (size_t i = 0; i < slow.size(); ++i) {
    writer.Add(Metric::kTelemetrySlowOperations, Name(static_cast<SlowOperation>(i)),
               static_cast<double>(slow[i]));
  }
  if (exporter_ != nullptr) CollectSpans(writer);
  CollectUpkeep(*backups_, *scrub_, writer);
  add(Metric::kAppReady, WhyNotReady(open_.load(), *engine_).empty() ? 1 : 0);
  add(Metric::kAppInsecure, options_.listen.insecure ? 1 : 0);
  writer.Add(Metric::kAppStarted, absl::ToDoubleSeconds(started_ - absl::UnixEpoch()));
}

void Daemon::CollectSpans(MetricWriter& writer) const {
  const SpanExporter::Counts spans = exporter_->counts();
  const auto add = [&writer](absl::string_view outcome, int64_t count) {
    writer.Add(Metric::kTelemetrySpans, outcome, static_cast<double>(count));
  };
  add("exported", spans.exported);
  add("dropped", spans.dropped);
  add("failed", spans.failed);
}

void Daemon::CollectEdges(MetricWriter& writer) const {
  const auto add = [&writer](Metric metric, int64_t value) {
    writer.Add(metric, static_cast<double>(value));
  };
  const RpcCounts rpc = rpc_->counts();
  add(Metric::kRpcConnections, rpc.connections);
  add(Metric::kRpcPublishStreams, rpc.publish_streams);
  writer.Add(Metric::kRpcPausedPublishStreams, "unanswered",
             static_cast<double>(rpc.publish_streams_unanswered));
  writer.Add(Metric::kRpcPausedPublishStreams, "queue",
             static_cast<double>(rpc.publish_streams_without_room));
  add(Metric::kHttpRequests, http_->requests());
  add(Metric::kHttpConnections, http_->connections());
  add(Metric::kHttpRefusedConnections, http_->refused_connections());
}

void Daemon::Reload(const DaemonOptions& options) {
  SetLogFormat(options.log.format);
  SetLogLevel(options.log.level);
  SetSlowThreshold(options.log.slow);
  backups_->SetOptions(options.backup);
  scrub_->SetOptions(options.scrub);
}

void Daemon::Stop() {
  if (stopped_) return;
  stopped_ = true;
  open_.store(false);
  if (rpc_ != nullptr) rpc_->RefuseCalls();
  if (groups_ != nullptr) groups_->StopWaiting();
  if (hub_ != nullptr) hub_->Stop(options_.listen.stop_grace);
  if (rpc_ != nullptr) rpc_->Stop(options_.listen.stop_grace);
  if (backups_ != nullptr) backups_->End();
  if (scrub_ != nullptr) scrub_->End();
  telemetry_.ClearCollectors();
  if (http_ != nullptr) http_->Stop();
  if (timer_ != nullptr) timer_->Stop();
  if (pool_ != nullptr) pool_->Stop();
  // Its spans are made of what it reads.
  if (exporter_ != nullptr && indexer_ != nullptr) (void)indexer_->CatchUp(kLastSpans);
  if (indexer_ != nullptr) indexer_->Stop();
  if (exporter_ != nullptr) exporter_->Stop();
  // Nobody submits any more.
  if (engine_ != nullptr) engine_->Stop();
}

}  // namespace acta
