#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "acta/v1/subscriber.pb.h"
#include "server/core/access/authorizer.h"
#include "server/core/groups/group_registry.h"
#include "server/core/subscribe/event_sink.h"
#include "server/core/subscribe/subscribe_limits.h"
#include "server/core/subscribe/subscription.h"
#include "server/core/topics/topic_registry.h"
#include "server/exec/executor.h"
#include "storage/base/byte_budget.h"
#include "storage/base/clock.h"
#include "storage/log_engine.h"

namespace acta {

// A page on its way to a client. What it keeps in memory counts in limits.fetch_bytes until the
// lease goes.
struct FetchedPage {
  v1::FetchResponse header;
  std::vector<OutgoingBatch> batches;
  ByteBudget::Lease lease;
};

// SubscriptionHub makes subscriptions, ends silent ones, and serves Fetch.
//
// Threads: any.
class SubscriptionHub {
 public:
  struct Deps {
    LogEngine& engine;
    const Clock& clock;  // Of the silence of members.
    TopicRegistry& topics;
    GroupRegistry& groups;
    const Authorizer& authorizer;
    Executor& pool;  // Cold reads and everything that may block.
    Timer& timer;
    SubscribeLimits limits;
  };
  explicit SubscriptionHub(const Deps& deps);
  ~SubscriptionHub();

  std::shared_ptr<Subscription> Open(Caller caller, EventSink& sink);

  // One page of a partition; `done` once, on any thread; must not block.
  using FetchDone = absl::AnyInvocable<void(absl::StatusOr<FetchedPage>)>;
  // Gives the call up: `done` is dropped without a call, unless it was called or just is. Any
  // thread, also when the hub is gone.
  using FetchCancel = std::function<void()>;
  FetchCancel Fetch(const Caller& caller, const v1::FetchRequest& request, FetchDone done);

  // Tells every stream going_away, ends the members, then finishes the streams. Waits up to
  // `grace` for them.
  void Stop(absl::Duration grace);

  int64_t subscription_count() const;
  int64_t events_delivered() const;
  int64_t bytes_delivered() const;
  // Fetch calls that wait for events or for the disk.
  int64_t waiting_fetches() const;
  // Of pages that are read, or not yet with their client.
  int64_t fetch_bytes() const;

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace acta
