#include "server/core/subscribe/subscription_hub.h"

#include <utility>

#include "server/core/subscribe/fetch_call.h"
#include "server/core/subscribe/live_subscription.h"
#include "server/core/subscribe/open_streams.h"
#include "server/core/subscribe/pump.h"

namespace acta {

class SubscriptionHub::State {
 public:
  explicit State(const Deps& deps)
      : deps(deps),
        open(std::make_shared<OpenStreams>()),
        fetches(std::make_shared<WaitingFetches>(deps.limits.max_waiting_fetches)),
        fetch_budget(std::make_shared<ByteBudget>(deps.limits.max_fetch_bytes)),
        pace(std::make_shared<CatchUpPace>(deps.engine, deps.clock,
                                           deps.limits.catch_up_bytes_per_second)),
        delivered(std::make_shared<DeliveryCount>()) {}

  const Deps deps;
  // Shared with streams and calls, which may live a little longer than the hub.
  const std::shared_ptr<OpenStreams> open;
  const std::shared_ptr<WaitingFetches> fetches;
  const std::shared_ptr<ByteBudget> fetch_budget;
  const std::shared_ptr<CatchUpPace> pace;
  const std::shared_ptr<DeliveryCount> delivered;
};

SubscriptionHub::SubscriptionHub(const Deps& deps) : state_(std::make_shared<State>(deps)) {}

// Memberships must not outlive the registry, which goes after the hub.
SubscriptionHub::~SubscriptionHub() {
  state_->fetches->Stop();
  for (const auto& stream : state_->open->Stop()) stream->Abandon();
}

std::shared_ptr<Subscription> SubscriptionHub::Open(Caller caller, EventSink& sink) {
  return LiveSubscription::Make({state_->deps, state_->open, state_->pace, state_->delivered},
                                std::move(caller), sink);
}

SubscriptionHub::FetchCancel SubscriptionHub::Fetch(const Caller& caller,
                                                    const v1::FetchRequest& request,
                                                    FetchDone done) {
  const Deps& deps = state_->deps;
  const auto range = CheckFetch(caller, deps.topics, deps.engine, deps.limits, request);
  if (!range.ok()) {
    std::move(done)(range.status());
    return [] {};
  }
  const auto call = std::make_shared<FetchCall>(
      FetchCall::Deps{deps.engine, deps.pool, deps.timer, state_->fetches, state_->fetch_budget,
                      state_->delivered},
      *range, std::move(done));
  call->Start();
  return [weak = std::weak_ptr(call)] {
    if (const auto held = weak.lock()) held->Cancel();
  };
}

void SubscriptionHub::Stop(absl::Duration grace) {
  state_->fetches->Stop();
  const auto streams = state_->open->Stop();
  for (const auto& stream : streams) stream->GoAway();
  state_->open->WaitEmpty(grace);
  for (const auto& stream : streams) stream->Abandon();
}

int64_t SubscriptionHub::subscription_count() const { return state_->open->count(); }

int64_t SubscriptionHub::events_delivered() const {
  return state_->delivered->events.load(std::memory_order_relaxed);
}

int64_t SubscriptionHub::bytes_delivered() const {
  return state_->delivered->bytes.load(std::memory_order_relaxed);
}

int64_t SubscriptionHub::waiting_fetches() const { return state_->fetches->count(); }

int64_t SubscriptionHub::fetch_bytes() const { return state_->fetch_budget->used(); }

}  // namespace acta
