#include "client/cpp/subscribe_session.h"

#include <grpcpp/support/proto_buffer_writer.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/error.h"
#include "client/cpp/steady_time.h"
#include "client/cpp/subscription_state.h"
#include "client/cpp/tell.h"
#include "client/cpp/worker_state.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"

namespace acta::client {
namespace {

// A member that is silent for 15 s is out.
constexpr absl::Duration kTickEvery = absl::Seconds(5);
// How late it may be noticed that the caller has heard of a reset.
constexpr absl::Duration kLookForHeard = absl::Milliseconds(20);

grpc::ByteBuffer Encode(const v1::SubscribeControl& control) {
  const grpc::Slice slice(control.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

// A frame that the channel does not take would end the stream, and so the next one.
template <typename Options>
Options Fitting(const Channel& channel, Options options) {
  constexpr int32_t kDefaultFrameBytes = 4 << 20;
  const int32_t most = channel.options().max_receive_bytes;  // Below zero: any.
  const int32_t asked = options.max_frame_bytes == 0 ? kDefaultFrameBytes : options.max_frame_bytes;
  if (most >= 0 && asked > most) options.max_frame_bytes = most;
  return options;
}

// For the caller, who may still have events of before.
v1::Notice NoticeOfReset(const absl::Status& status) {
  v1::Notice notice;
  notice.set_code("GROUP_RESET");
  notice.set_text(std::string(status.message()));
  return notice;
}

}  // namespace

template <typename State>
SubscribeSession<State>::SubscribeSession(std::shared_ptr<Channel> channel,
                                          typename State::Options options)
    : channel_(std::move(channel)),
      options_(Fitting(*channel_, std::move(options))),
      state_(options_),
      broken_since_(SteadyNow()),
      backoff_(channel_->options().min_backoff),
      stream_(channel_, State::kClient, "/acta.v1.Subscriber/Subscribe", *this) {
  if (HasHooks(*channel_)) state_.KeepSettled();
}

template <typename State>
void SubscribeSession<State>::Begin() {
  stream_.Run();
  stream_.Start();
}

template <typename State>
absl::StatusOr<std::optional<typename State::Item>> SubscribeSession<State>::NextItem(
    absl::Time deadline) {
  while (true) {
    std::optional<typename State::Item> item;
    bool must_write = false;
    {
      MutexLock lock(mu_);
      if (cancelled_) return std::nullopt;
      item = state_.Pop();
      if (!item.has_value()) EndResetWait();  // All that there was is told.
      must_write = state_.HasControl();
    }
    if (must_write) stream_.Wake();
    if (item.has_value()) return item;
    MutexLock lock(mu_);
    while (!state_.HasItem() && MayCome()) {
      if (!WaitUntil(deadline)) return std::nullopt;
    }
    if (state_.HasItem()) continue;
    if (!failure_.ok() && !cancelled_) return failure_;
    return std::nullopt;
  }
}

template <typename State>
bool SubscribeSession<State>::WaitUntil(absl::Time deadline) {
  const absl::Duration rest = deadline - SteadyNow();
  if (rest <= absl::ZeroDuration()) return false;
  changed_.WaitFor(mu_, std::min(rest, absl::Hours(1)));
  return true;
}

template <typename State>
bool SubscribeSession<State>::failed() const {
  MutexLock lock(mu_);
  return !failure_.ok() && !state_.HasItem();
}

template <typename State>
std::string SubscribeSession<State>::member_id() const {
  MutexLock lock(mu_);
  return state_.member_id();
}

template <typename State>
void SubscribeSession<State>::Cancel() {
  MutexLock lock(mu_);
  cancelled_ = true;
  EndResetWait();
  changed_.SignalAll();
}

template <typename State>
absl::Status SubscribeSession<State>::Close(absl::Duration timeout) {
  {
    MutexLock lock(mu_);
    if (closing_) return absl::OkStatus();
    closing_ = cancelled_ = true;
    changed_.SignalAll();
  }
  stream_.Wake();
  absl::Status late;
  {
    MutexLock lock(mu_);
    const absl::Time deadline = SteadyNow() + timeout;
    while (streaming_ && WaitUntil(deadline)) continue;  // Also while it opens.
    if (streaming_) {
      late = absl::DeadlineExceededError(
          absl::StrCat("broker '", channel_->address(), "' did not end the stream in good order"));
    }
  }
  stream_.Stop();
  MutexLock lock(mu_);
  if (!late.ok()) end_ = late;  // Stop() ended it with CANCELLED.
  return failure_.ok() ? end_ : failure_;
}

template <typename State>
void SubscribeSession<State>::OnOpen() {
  MutexLock lock(mu_);
  open_ = true;
  state_.OnOpen();
}

template <typename State>
void SubscribeSession<State>::OnMessage(const grpc::ByteBuffer& message) {
  auto slice = std::make_shared<grpc::Slice>();
  if (!message.DumpToSingleSlice(slice.get()).ok()) return stream_.Cancel();
  const absl::string_view bytes(reinterpret_cast<const char*>(slice->begin()), slice->size());
  absl::StatusOr<DeliveryFrame> frame = DeliveryFrameReader::Read(slice, bytes);
  bool over = false;
  bool must_write = false;
  {
    MutexLock lock(mu_);
    if (frame.ok()) {
      broken_since_ = absl::InfiniteFuture();
      backoff_ = channel_->options().min_backoff;
      if (frame->control.has_going_away()) {
        away_for_ = ToDuration(frame->control.going_away().retry_after());
      }
      state_.OnFrame(*std::move(frame));
      Fail(state_.failure());
    } else {
      Fail(frame.status());
    }
    over = !failure_.ok();
    must_write = closing_ || state_.HasControl();
    changed_.SignalAll();
  }
  TellHooks();
  if (over) return stream_.Cancel();
  if (must_write) stream_.Wake();
}

template <typename State>
bool SubscribeSession<State>::WriteNext() {
  std::optional<v1::SubscribeControl> control;
  {
    MutexLock lock(mu_);
    control = state_.TakeControl();
    changed_.SignalAll();  // What can no longer be sent is settled by it.
    if (control.has_value()) {
      last_sent_ = SteadyNow();
    } else if (!closing_ || state_.HasControl()) {
      return false;  // What has to wait for an answer is said before the half-close.
    }
  }
  if (control.has_value()) {
    stream_.Write(Encode(*control));
  } else {
    stream_.WritesDone();
  }
  return true;
}

template <typename State>
void SubscribeSession<State>::OnEnd(const absl::Status& status) {
  {
    MutexLock lock(mu_);
    OnEndLocked(status);
  }
  TellHooks();
}

template <typename State>
void SubscribeSession<State>::OnEndLocked(const absl::Status& status) {
  const absl::Time now = SteadyNow();
  streaming_ = open_ = false;
  end_ = status;
  // A reader at its end has nothing to lose, however the stream went.
  const bool done = closing_ || state_.ReachedAllEnds();
  state_.OnEnd();
  if (ReasonOf(status) == v1::GROUP_RESET) {
    state_.OnReset(NoticeOfReset(status));
    reset_untold_ = State::kClient == ClientKind::kWorker && !cancelled_;
  }
  changed_.SignalAll();
  if (done) return;
  broken_since_ = std::min(broken_since_, now);
  if (status.ok()) {
    end_ =
        absl::UnavailableError(absl::StrCat("broker '", channel_->address(), "' ended the stream"));
  }
  if (!IsRetryable(end_) || now - broken_since_ >= options_.retry_for) return Fail(end_);
  reconnect_at_ = now + std::max({backoff_, RetryAfterOf(status),
                                  std::exchange(away_for_, absl::ZeroDuration())});
  backoff_ = std::min(backoff_ * 2, channel_->options().max_backoff);
  stream_.TickWithin(reconnect_at_ - now);
}

template <typename State>
void SubscribeSession<State>::TellHooks() {
  std::vector<SettledEvents> settled;
  absl::Status failure;
  {
    MutexLock lock(mu_);
    settled = state_.TakeSettled();
    if (!std::exchange(failure_told_, !failure_.ok())) failure = failure_;
  }
  TellSettled(*channel_, State::kClient, std::move(settled));
  if (!failure.ok()) TellFailure(*channel_, State::kClient, failure);
}

template <typename State>
void SubscribeSession<State>::Fail(const absl::Status& status) {
  failure_.Update(status);
  changed_.SignalAll();
}

template <typename State>
void SubscribeSession<State>::EndResetWait() {
  // What the caller took its time for is not time without a broker.
  if (std::exchange(reset_untold_, false)) broken_since_ = SteadyNow();
}

template <typename State>
absl::Duration SubscribeSession<State>::OnTick(absl::Time now) {
  bool start = false;
  absl::Duration wait = absl::InfiniteDuration();
  {
    MutexLock lock(mu_);
    if (open_) {
      if (now - last_sent_ >= kTickEvery) state_.Tick();
    } else if (!streaming_ && GoesOn()) {
      start = streaming_ = now >= reconnect_at_ && !reset_untold_;
      wait = reset_untold_ ? kLookForHeard : reconnect_at_ - now;
    }
  }
  if (start) (void)stream_.Start();  // False only after Stop(), when nothing matters any more.
  stream_.Wake();
  return wait;
}

template class SubscribeSession<SubscriptionState>;
template class SubscribeSession<WorkerState>;

}  // namespace acta::client
