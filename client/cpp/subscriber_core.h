#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "client/cpp/admin.h"
#include "client/cpp/subscribe_session.h"
#include "client/cpp/subscriber.h"
#include "client/cpp/subscription_state.h"

namespace acta::client {

// Subscriber at work.
//
// Threads: as Subscriber says.
class ACTA_CLIENT_HIDDEN Subscriber::Core final : public SubscribeSession<SubscriptionState> {
 public:
  Core(std::shared_ptr<Channel> channel, SubscriberOptions options);

  absl::StatusOr<std::optional<Delivery>> Next(absl::Time deadline);
  bool ended() const;
  absl::Status Commit(absl::string_view topic, int32_t partition, int64_t offset);
  void CommitDelivered();
  absl::StatusOr<v1::SettleResponse> CommitAndPublish(const Delivery& delivery,
                                                      std::vector<v1::PartitionBatch> batches,
                                                      std::vector<v1::CompletedClaim> claims);
  absl::Status FlushCommits(absl::Duration timeout);
  std::vector<SubscribedPartition> partitions() const;

 private:
  // Runs the caller's function for an item that Next() does not return.
  void Tell(const SubscriptionState::Noticed& noticed);
  void GiveUp(const SubscriptionState::Revoking& revoking);

  Admin admin_;
};

}  // namespace acta::client
