#pragma once

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace acta {

// Who calls. Made in one place of the edge, from what the listener authenticated.
struct Caller {
  std::string principal;  // "anonymous" on a listener without authentication.
  std::string tenant = "default";
  std::string peer;  // Address, for people.
  // Since boot: setting the clock of the machine ends no call and keeps none.
  absl::Duration deadline = absl::InfiniteDuration();
  // True once the server stops, which then waits for the call. Outlives it. Null: it does not wait.
  const std::atomic<bool>* stopping = nullptr;
};

// What a call does. Names as in grants.
enum class Verb {
  kPublish,
  kSubscribe,
  kBrowse,
  kAdminTopics,
  kAdminGroups,
  kAdminServer,
  kObserve,
};
absl::string_view Name(Verb verb);

enum class ResourceKind { kServer, kTopic, kGroup };
struct Resource {
  ResourceKind kind = ResourceKind::kServer;
  absl::string_view name;  // Plain name; empty: all of the kind.
};

// Decides whether a caller may do something. Asked for every call and every control frame that
// names a resource, before the resource is looked up.
//
// Threads: any; must not block.
// Errors:  PERMISSION_DENIED.
class Authorizer {
 public:
  virtual ~Authorizer() = default;
  virtual absl::Status Authorize(const Caller& caller, Verb verb,
                                 const Resource& resource) const = 0;
};

// Loopback and --insecure listeners.
class AllowAll final : public Authorizer {
 public:
  absl::Status Authorize(const Caller&, Verb, const Resource&) const override {
    return absl::OkStatus();
  }
};

// The tenant a request means: empty is the caller's. Errors: TENANT_NOT_FOUND.
absl::Status CheckTenant(const Caller& caller, absl::string_view tenant);

absl::Status DeadlinePassed();
absl::Status ServerStopping();
// Asked between the steps of a call that may last. Errors: SERVER_STOPPING.
absl::Status CheckStopping(const std::atomic<bool>* stopping);
// Asked where a call had to wait, before it begins what cannot be given up. Errors:
// DEADLINE_PASSED, SERVER_STOPPING.
absl::Status CheckDeadline(const Caller& caller);

}  // namespace acta
