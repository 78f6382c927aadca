#include "client/cpp/subscriber_core.h"

#include <grpcpp/support/proto_buffer_writer.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/grpc_status.h"
#include "proto/support/error.h"

namespace acta::client {
namespace {

// A member that is silent for 15 s is out.
constexpr absl::Duration kTickEvery = absl::Seconds(5);

grpc::ByteBuffer Encode(const v1::SubscribeControl& control) {
  const grpc::Slice slice(control.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace

Subscriber::Core::Core(std::shared_ptr<Channel> channel, SubscriberOptions options)
    : channel_(std::move(channel)),
      options_(std::move(options)),
      state_(options_),
      broken_since_(absl::Now()),
      backoff_(channel_->options().min_backoff),
      stream_(channel_, "/acta.v1.Subscriber/Subscribe", *this) {
  stream_.Run();
  stream_.Start();
}

absl::StatusOr<std::optional<Delivery>> Subscriber::Core::Next(absl::Time deadline) {
  while (true) {
    std::optional<SubscriptionState::Item> item;
    bool must_write = false;
    {
      MutexLock lock(mu_);
      if (cancelled_) return std::nullopt;
      item = state_.Pop();
      must_write = state_.HasControl();
    }
    if (must_write) stream_.Wake();
    if (!item.has_value()) {
      MutexLock lock(mu_);
      while (!state_.HasItem() && MayCome()) {
        if (!WaitUntil(deadline)) return std::nullopt;
      }
      if (state_.HasItem()) continue;
      if (!failure_.ok() && !cancelled_) return failure_;
      return std::nullopt;
    }
    if (auto* delivery = std::get_if<Delivery>(&*item)) return std::move(*delivery);
    if (auto* status = std::get_if<absl::Status>(&*item)) return *status;
    if (auto* noticed = std::get_if<SubscriptionState::Noticed>(&*item)) Tell(*noticed);
    if (auto* revoking = std::get_if<SubscriptionState::Revoking>(&*item)) GiveUp(*revoking);
  }
}

void Subscriber::Core::Tell(const SubscriptionState::Noticed& noticed) {
  if (!options_.on_notice) return;
  options_.on_notice(noticed.notice, noticed.partition.has_value() ? &*noticed.partition : nullptr);
}

void Subscriber::Core::GiveUp(const SubscriptionState::Revoking& revoking) {
  if (options_.on_revoked) options_.on_revoked(revoking.partition);
  {
    MutexLock lock(mu_);
    state_.Release(revoking.assignment, options_.commit_when_revoked);
  }
  stream_.Wake();
}

bool Subscriber::Core::WaitUntil(absl::Time deadline) {
  const absl::Duration rest = deadline - absl::Now();
  if (rest <= absl::ZeroDuration()) return false;
  changed_.WaitFor(mu_, std::min(rest, absl::Hours(1)));
  return true;
}

bool Subscriber::Core::ended() const {
  MutexLock lock(mu_);
  return state_.ReachedAllEnds() && !state_.HasItem();
}

bool Subscriber::Core::failed() const {
  MutexLock lock(mu_);
  return !failure_.ok() && !state_.HasItem();
}

absl::Status Subscriber::Core::Commit(absl::string_view topic, int32_t partition, int64_t offset) {
  absl::Status status;
  {
    MutexLock lock(mu_);
    status = state_.Commit(topic, partition, offset);
  }
  stream_.Wake();
  return status;
}

void Subscriber::Core::CommitDelivered() {
  {
    MutexLock lock(mu_);
    state_.CommitDelivered();
  }
  stream_.Wake();
}

absl::Status Subscriber::Core::FlushCommits(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  MutexLock lock(mu_);
  while (!state_.CommitsSettled()) {
    if (!WaitUntil(deadline)) {
      return absl::DeadlineExceededError(
          absl::StrCat("the commits were not durable within ", absl::FormatDuration(timeout)));
    }
  }
  return state_.TakeCommitFailure();
}

std::vector<SubscribedPartition> Subscriber::Core::partitions() const {
  MutexLock lock(mu_);
  return state_.partitions();
}

std::string Subscriber::Core::member_id() const {
  MutexLock lock(mu_);
  return state_.member_id();
}

void Subscriber::Core::Cancel() {
  MutexLock lock(mu_);
  cancelled_ = true;
  changed_.SignalAll();
}

absl::Status Subscriber::Core::Close(absl::Duration timeout) {
  {
    MutexLock lock(mu_);
    if (closing_) return absl::OkStatus();
    closing_ = cancelled_ = true;
    changed_.SignalAll();
  }
  stream_.Wake();
  {
    MutexLock lock(mu_);
    const absl::Time deadline = absl::Now() + timeout;
    while (open_ && WaitUntil(deadline)) continue;
    if (streaming_) {
      end_ = absl::DeadlineExceededError(
          absl::StrCat("broker '", channel_->address(), "' did not end the stream in good order"));
    }
  }
  stream_.Stop();
  MutexLock lock(mu_);
  return failure_.ok() ? end_ : failure_;
}

void Subscriber::Core::OnOpen() {
  MutexLock lock(mu_);
  open_ = true;
  state_.OnOpen();
}

void Subscriber::Core::OnMessage(const grpc::ByteBuffer& message) {
  auto slice = std::make_shared<grpc::Slice>();
  if (!message.DumpToSingleSlice(slice.get()).ok()) return stream_.Cancel();
  const absl::string_view bytes(reinterpret_cast<const char*>(slice->begin()), slice->size());
  absl::StatusOr<DeliveryFrame> frame = DeliveryFrameReader::Read(slice, bytes);
  bool over = false;
  {
    MutexLock lock(mu_);
    if (frame.ok()) {
      broken_since_ = absl::InfiniteFuture();
      backoff_ = channel_->options().min_backoff;
      if (frame->control.has_going_away()) {
        const auto& after = frame->control.going_away().retry_after();
        away_for_ = absl::Seconds(after.seconds()) + absl::Nanoseconds(after.nanos());
      }
      state_.OnFrame(*std::move(frame));
      Fail(state_.failure());
    } else {
      Fail(frame.status());
    }
    over = !failure_.ok();
    changed_.SignalAll();
  }
  if (over) stream_.Cancel();
}

bool Subscriber::Core::WriteNext() {
  std::optional<v1::SubscribeControl> control;
  {
    MutexLock lock(mu_);
    control = state_.TakeControl();
    changed_.SignalAll();  // Commits that can no longer be sent are settled by it.
    if (control.has_value()) {
      last_sent_ = absl::Now();
    } else if (!closing_) {
      return false;
    }
  }
  if (control.has_value()) {
    stream_.Write(Encode(*control));
  } else {
    stream_.WritesDone();
  }
  return true;
}

void Subscriber::Core::OnEnd(const absl::Status& status) {
  MutexLock lock(mu_);
  const absl::Time now = absl::Now();
  streaming_ = open_ = false;
  end_ = status;
  // A reader at its end has nothing to lose, however the stream went.
  const bool done = closing_ || state_.ReachedAllEnds();
  state_.OnEnd();
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

void Subscriber::Core::Fail(const absl::Status& status) {
  failure_.Update(status);
  changed_.SignalAll();
}

absl::Duration Subscriber::Core::OnTick(absl::Time now) {
  bool start = false;
  absl::Duration wait = absl::InfiniteDuration();
  {
    MutexLock lock(mu_);
    if (open_) {
      if (now - last_sent_ >= kTickEvery) state_.Tick();
    } else if (!streaming_ && MayCome()) {
      start = streaming_ = now >= reconnect_at_;
      wait = reconnect_at_ - now;
    }
  }
  if (start) (void)stream_.Start();  // False only after Stop(), when nothing matters any more.
  stream_.Wake();
  return wait;
}

}  // namespace acta::client
