#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/core/subscribe/fetch_page.h"
#include "server/core/subscribe/pump.h"
#include "server/core/subscribe/subscription_hub.h"
#include "storage/base/byte_budget.h"
#include "storage/base/mutex.h"

namespace acta {

class FetchCall;

// The Fetch calls that wait for events or for the disk.
//
// Threads: any.
class WaitingFetches {
 public:
  explicit WaitingFetches(int64_t most) : most_(most) {}

  // Errors: READ_QUEUE_FULL, SERVER_STOPPING.
  absl::Status Enter(const std::shared_ptr<FetchCall>& call);
  void Leave(const std::shared_ptr<FetchCall>& call);
  int64_t count() const;
  // Answers all with SERVER_STOPPING, and refuses those that come.
  void Stop();

 private:
  const int64_t most_;
  mutable Mutex mu_;  // Leaf.
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_set<std::shared_ptr<FetchCall>> calls_ ABSL_GUARDED_BY(mu_);
};

// One Fetch: reads what is in memory at once, else on the pool; waits for the first event where
// there is none yet. What it reads counts in the budget until the page is gone; a read from disk
// takes its share before.
//
// Threads: any.
class FetchCall : public std::enable_shared_from_this<FetchCall> {
 public:
  struct Deps {
    LogEngine& engine;
    Executor& pool;
    Timer& timer;
    std::shared_ptr<WaitingFetches> waiting;
    std::shared_ptr<ByteBudget> budget;
    std::shared_ptr<DeliveryCount> delivered;
  };
  FetchCall(Deps deps, const FetchRange& range, SubscriptionHub::FetchDone done)
      : deps_(std::move(deps)), range_(range), done_(std::move(done)) {}

  void Start();
  // Answers with this if nothing was answered yet.
  void Fail(const absl::Status& status);
  // Does not answer, if nothing was answered yet, and gives its place to others.
  void Cancel();

 private:
  using Batches = absl::StatusOr<std::vector<BatchPtr>>;

  // True for the one who ends the call; nothing wakes it any more.
  bool Claim();
  void WaitForNews();
  void ReadOnPool();
  // Without a lease what was read is taken from the budget now.
  void Answer(const Batches& read, std::optional<ByteBudget::Lease> lease = std::nullopt);
  absl::StatusOr<FetchedPage> MakePage(const Batches& read,
                                       std::optional<ByteBudget::Lease> lease) const;

  const Deps deps_;
  const FetchRange range_;
  SubscriptionHub::FetchDone done_;
  Mutex mu_;  // Leaf.
  bool claimed_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t wake_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t timer_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace acta
