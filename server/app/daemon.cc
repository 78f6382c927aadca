#include "server/app/daemon.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include "server/app/engine_metrics.h"
#include "server/app/library_versions.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"
#include "storage/log/local_log_engine.h"

namespace acta {
namespace {

constexpr int kLeastPoolThreads = 4;

int PoolThreads(int32_t wanted) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return wanted > 0 ? wanted : std::max(kLeastPoolThreads, cores);
}

}  // namespace

Daemon::Daemon(const DaemonOptions& options, ConfigPage config)
    : options_(options), config_(std::move(config)), telemetry_(options.telemetry) {}

Daemon::~Daemon() { Stop(); }

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(const DaemonOptions& options,
                                                      ConfigPage config) {
  std::unique_ptr<Daemon> daemon(new Daemon(options, std::move(config)));
  RETURN_IF_ERROR(daemon->OpenStore());
  RETURN_IF_ERROR(daemon->LoadDomain());
  RETURN_IF_ERROR(daemon->OpenListeners());
  return daemon;
}

absl::Status Daemon::OpenStore() {
  ASSIGN_OR_RETURN(engine_, LocalLogEngine::Open(options_.storage, fatal_, clock_));
  // The folder is ours now; a file of a run that was killed would name a process that is gone.
  RemoveReadyFile(options_.listen.ready_file);
  return absl::OkStatus();
}

absl::Status Daemon::LoadDomain() {
  pool_ = std::make_unique<AsioPool>(PoolThreads(options_.read_threads));
  timer_ = std::make_unique<AsioTimer>(*pool_);
  topics_ = std::make_unique<TopicRegistry>(*engine_, options_.topics);
  RETURN_IF_ERROR(topics_->Load());
  groups_ = std::make_unique<GroupRegistry>(
      GroupRegistry::Deps{*engine_, *topics_, *pool_, *timer_, options_.groups});
  RETURN_IF_ERROR(groups_->Load());
  topics_->SetDeleteCheck(
      [this](const Topic& topic, bool force) { return groups_->CheckTopicDelete(topic, force); });
  topics_->SetChangeListener(
      [this](const Topic& topic, bool deleted) { groups_->OnTopicChanged(topic, deleted); });
  hub_ = std::make_unique<SubscriptionHub>(SubscriptionHub::Deps{
      *engine_, *topics_, *groups_, authorizer_, *pool_, *timer_, options_.subscribe});
  return absl::OkStatus();
}
