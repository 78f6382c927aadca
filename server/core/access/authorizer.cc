#include "server/core/access/authorizer.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "storage/base/clock.h"
#include "storage/base/status_macros.h"

namespace acta {

absl::string_view Name(Verb verb) {
  switch (verb) {
    case Verb::kPublish:
      return "publish";
    case Verb::kSubscribe:
      return "subscribe";
    case Verb::kBrowse:
      return "browse";
    case Verb::kAdminTopics:
      return "admin.topics";
    case Verb::kAdminGroups:
      return "admin.groups";
    case Verb::kAdminServer:
      return "admin.server";
    case Verb::kObserve:
      return "observe";
  }
  return "unknown";
}

absl::Status CheckTenant(const Caller& caller, absl::string_view tenant) {
  if (tenant.empty() || tenant == caller.tenant) return absl::OkStatus();
  const std::string shown = absl::CHexEscape(tenant.substr(0, 64));
  return Error(v1::TENANT_NOT_FOUND,
               absl::StrCat("there is no tenant '", shown,
                            "' for this caller: leave it out, or "
                            "name '",
                            caller.tenant, "'"),
               {{"tenant", shown}});
}

absl::Status DeadlinePassed() {
  return Error(v1::DEADLINE_PASSED,
               "the deadline of the call passed before it was done: give it more time");
}

absl::Status ServerStopping() {
  return Error(v1::SERVER_STOPPING, "the server is stopping; reconnect after the delay");
}

absl::Status CheckStopping(const std::atomic<bool>* stopping) {
  const bool ends = stopping != nullptr && stopping->load(std::memory_order_acquire);
  return ends ? ServerStopping() : absl::OkStatus();
}

absl::Status CheckDeadline(const Caller& caller) {
  RETURN_IF_ERROR(CheckStopping(caller.stopping));
  return caller.deadline > SystemClock().SinceBoot() ? absl::OkStatus() : DeadlinePassed();
}

}  // namespace acta
