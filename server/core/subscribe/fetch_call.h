#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "acta/v1/subscriber.pb.h"
#include "server/core/subscribe/pump.h"
#include "server/core/subscribe/subscription_hub.h"
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
  // Answers all with SERVER_STOPPING, and refuses those that come.
  void Stop();

 private:
  const int64_t most_;
  Mutex mu_;  // Leaf.
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_set<std::shared_ptr<FetchCall>> calls_ ABSL_GUARDED_BY(mu_);
};

// One Fetch: reads what is in memory at once, else on the pool; waits for the first event where
// there is none yet.
//
// Threads: any.
class FetchCall : public std::enable_shared_from_this<FetchCall> {
 public:
  struct Deps {
    LogEngine& engine;
    Executor& pool;
    Timer& timer;
    std::shared_ptr<WaitingFetches> waiting;
    std::shared_ptr<DeliveryCount> delivered;
  };
  struct Page {
    PartitionId partition;
    Offset from;
    uint32_t max_events = 0;
    size_t max_bytes = 0;
    absl::Duration wait;
  };
  // What a request asks for. Errors: INVALID_ARGUMENT, TENANT_NOT_FOUND, TOPIC_NOT_FOUND,
  // PARTITION_NOT_FOUND, OFFSET_OUT_OF_RANGE, LOG_TRUNCATED.
  static absl::StatusOr<Page> Check(const Caller& caller, const TopicRegistry& topics,
                                    const LogEngine& engine, const v1::FetchRequest& request);

  FetchCall(Deps deps, const Page& page, SubscriptionHub::FetchDone done)
      : deps_(std::move(deps)), page_(page), done_(std::move(done)) {}

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
  void Answer(const Batches& read);

  const Deps deps_;
  const Page page_;
  SubscriptionHub::FetchDone done_;
  Mutex mu_;  // Leaf.
  bool claimed_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t wake_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t timer_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace acta
