#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "client/cpp/raw_stream.h"
#include "client/cpp/subscriber.h"
#include "client/cpp/subscription_state.h"
#include "storage/base/mutex.h"

namespace acta::client {

// Subscriber at work: its state behind a lock, and the stream that feeds it.
//
// Threads: as Subscriber says.
class Subscriber::Core final : public RawStream::Handler {
 public:
  Core(std::shared_ptr<Channel> channel, SubscriberOptions options);

  absl::StatusOr<std::optional<Delivery>> Next(absl::Time deadline);
  bool ended() const;
  bool failed() const;
  absl::Status Commit(absl::string_view topic, int32_t partition, int64_t offset);
  void CommitDelivered();
  absl::Status FlushCommits(absl::Duration timeout);
  std::vector<SubscribedPartition> partitions() const;
  std::string member_id() const;
  void Cancel();
  absl::Status Close(absl::Duration timeout);

  void OnOpen() override;
  void OnMessage(const grpc::ByteBuffer& message) override;
  bool WriteNext() override;
  void OnEnd(const absl::Status& status) override;
  absl::Duration OnTick(absl::Time now) override;

 private:
  // What Next() answers when there is no item and none may come.
  bool MayCome() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !cancelled_ && failure_.ok() && !state_.ReachedAllEnds();
  }
  // False: the time has passed.
  bool WaitUntil(absl::Time deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Runs the caller's function for an item that Next() does not return.
  void Tell(const SubscriptionState::Noticed& noticed);
  void GiveUp(const SubscriptionState::Revoking& revoking);
  void Fail(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<Channel> channel_;
  const SubscriberOptions options_;

  mutable Mutex mu_;  // Leaf.
  CondVar changed_;
  SubscriptionState state_ ABSL_GUARDED_BY(mu_);
  bool streaming_ ABSL_GUARDED_BY(mu_) = true;  // From Start() to OnEnd().
  bool open_ ABSL_GUARDED_BY(mu_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool closing_ ABSL_GUARDED_BY(mu_) = false;     // Half-close once everything is said.
  absl::Status failure_ ABSL_GUARDED_BY(mu_);     // Why the subscription is over.
  absl::Status end_ ABSL_GUARDED_BY(mu_);         // Of the last stream.
  absl::Time broken_since_ ABSL_GUARDED_BY(mu_);  // Infinite future: it works.
  absl::Time reconnect_at_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Duration backoff_ ABSL_GUARDED_BY(mu_);
  absl::Duration away_for_ ABSL_GUARDED_BY(mu_);  // As the broker asked for.
  absl::Time last_sent_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();

  RawStream stream_;
};

}  // namespace acta::client
