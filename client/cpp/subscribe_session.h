#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/channel.h"
#include "client/cpp/raw_stream.h"
#include "storage/base/mutex.h"

namespace acta::client {

// A subscription at work: its state behind a lock, and the Subscribe streams that feed it, one
// after the other. Keeps the membership alive and connects again after a break.
//
// State:   SubscriptionState or WorkerState; does no IO and knows no clock.
// Threads: NextItem() and Close() from one thread at a time, the others from any. Whoever derives
//          calls Begin() when it is made.
template <typename State>
class SubscribeSession : public RawStream::Handler {
 public:
  // The subscription ended with the error NextItem() returned.
  bool failed() const;
  std::string member_id() const;
  // Makes a waiting NextItem() and all further ones return nothing.
  void Cancel();
  // Says what is left to say, then half-closes. OK when the broker ended the stream in good order.
  absl::Status Close(absl::Duration timeout);

  void OnOpen() final;
  void OnMessage(const grpc::ByteBuffer& message) final;
  bool WriteNext() final;
  void OnEnd(const absl::Status& status) final;
  absl::Duration OnTick(absl::Time now) final;

 protected:
  SubscribeSession(std::shared_ptr<Channel> channel, typename State::Options options);
  ~SubscribeSession() = default;

  void Begin();
  // Nothing: the deadline has passed, or nothing more may come. Errors: what ended the
  // subscription. Every time here is of SteadyNow().
  absl::StatusOr<std::optional<typename State::Item>> NextItem(absl::Time deadline);
  // What NextItem() answers when there is no item and none may come.
  bool MayCome() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !cancelled_ && GoesOn(); }
  // Another stream follows one that broke, also for who was cancelled: there may be more to say.
  bool GoesOn() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !closing_ && failure_.ok() && !state_.ReachedAllEnds();
  }
  // False: the time has passed.
  bool WaitUntil(absl::Time deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnEndLocked(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What the hooks have not heard yet. Outside of the lock.
  void TellHooks();
  void Fail(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The caller knows of it, or asks for no more events: join again.
  void EndResetWait() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<Channel> channel_;
  const typename State::Options options_;

  mutable Mutex mu_;  // Leaf.
  CondVar changed_;
  State state_ ABSL_GUARDED_BY(mu_);
  bool streaming_ ABSL_GUARDED_BY(mu_) = true;  // From Start() to OnEnd().
  bool open_ ABSL_GUARDED_BY(mu_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool closing_ ABSL_GUARDED_BY(mu_) = false;  // Half-close once everything is said.
  absl::Status failure_ ABSL_GUARDED_BY(mu_);  // Why the subscription is over.
  bool failure_told_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);         // Of the last stream.
  absl::Time broken_since_ ABSL_GUARDED_BY(mu_);  // Infinite future: it works.
  absl::Time reconnect_at_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Duration backoff_ ABSL_GUARDED_BY(mu_);
  absl::Duration away_for_ ABSL_GUARDED_BY(mu_);  // As the broker asked for.
  // A worker whose group was reset does not join again before its caller has heard of it: what
  // came would be leased, and wait until all of before is ended.
  bool reset_untold_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time last_sent_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();

  RawStream stream_;
};

}  // namespace acta::client
