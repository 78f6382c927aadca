#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "acta/v1/admin.pb.h"
#include "acta/v1/subscriber.pb.h"
#include "server/core/access/authorizer.h"
#include "server/core/admin/server_status.h"
#include "server/core/settle/settler.h"
#include "server/core/subscribe/subscription_hub.h"

namespace acta {

// What the calls of subscribers and workers call in core.
//
// Threads: any. `open` returns before its subscription calls the sink; a subscription keeps itself
// alive while it calls the sink.
struct SubscribeCalls {
  std::function<std::shared_ptr<Subscription>(Caller, EventSink&)> open;
  std::function<SubscriptionHub::FetchCancel(const Caller&, const v1::FetchRequest&,
                                             SubscriptionHub::FetchDone)>
      fetch;
  std::function<void(const Caller&, v1::SettleRequest, Settler::Done)> settle;
  // May block.
  std::function<absl::StatusOr<v1::EditDeadLetterResponse>(const Caller&,
                                                           const v1::EditDeadLetterRequest&)>
      edit_dead_letter;
};

// What the methods of acta.v1.Admin call in core. May block.
struct AdminCalls {
  std::function<v1::GetServerResponse()> get_server;
  std::function<v1::GetStatusResponse()> get_status;
  std::function<v1::GetConfigResponse()> get_config;
  std::function<v1::GetLimitsResponse()> get_limits;
  std::function<absl::StatusOr<v1::ScrubResponse>(const Caller&, const v1::ScrubRequest&)> scrub;
  std::function<absl::StatusOr<v1::AcceptClockResponse>(const Caller&,
                                                        const v1::AcceptClockRequest&)>
      accept_clock;
  std::function<absl::StatusOr<v1::SetLogLevelResponse>(const Caller&,
                                                        const v1::SetLogLevelRequest&)>
      set_log_level;
  std::function<absl::StatusOr<v1::StartBackupResponse>(const Caller&)> start_backup;
  std::function<absl::StatusOr<v1::ListBackupsResponse>()> list_backups;
  std::function<absl::StatusOr<v1::StopBackupResponse>(const Caller&)> stop_backup;
  std::function<absl::StatusOr<v1::DeleteBackupResponse>(const Caller&,
                                                         const v1::DeleteBackupRequest&)>
      delete_backup;
};

// The calls of the real rooms, which must outlive them.
inline SubscribeCalls CallsOf(SubscriptionHub& hub, const Settler& settler) {
  return {[&hub](Caller caller, EventSink& sink) { return hub.Open(std::move(caller), sink); },
          [&hub](const Caller& caller, const v1::FetchRequest& request,
                 SubscriptionHub::FetchDone done) {
            return hub.Fetch(caller, request, std::move(done));
          },
          [&settler](const Caller& caller, v1::SettleRequest request, Settler::Done done) {
            settler.Settle(caller, std::move(request), std::move(done));
          },
          [&settler](const Caller& caller, const v1::EditDeadLetterRequest& request) {
            return settler.EditDeadLetter(caller, request);
          }};
}
inline AdminCalls CallsOf(const ServerStatus& status,
                          std::function<v1::GetConfigResponse()> get_config) {
  return {[&status] { return status.GetServer(); },
          [&status] { return status.GetStatus(); },
          std::move(get_config),
          [&status] { return status.GetLimits(); },
          [&status](const Caller& caller, const v1::ScrubRequest& request) {
            return status.Scrub(caller, request);
          },
          [&status](const Caller& caller, const v1::AcceptClockRequest& request) {
            return status.AcceptClock(caller, request);
          },
          [&status](const Caller& caller, const v1::SetLogLevelRequest& request) {
            return status.SetLogLevel(caller, request);
          }};
}

}  // namespace acta
