#include "server/core/subscribe/live_subscription.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "server/core/subscribe/frame_bytes.h"

namespace acta {
namespace {

// How often topics are asked whether they grew.
constexpr absl::Duration kGrowthLook = absl::Seconds(5);

absl::Status NotStarted() {
  return Error(v1::STREAM_NOT_OPENED, "the first frame must start the stream; set `start` in it");
}

absl::Status NotRising(uint64_t id, uint64_t last) {
  return Error(v1::FRAME_ID_NOT_RISING,
               absl::StrCat("frame id ", id, " came after ", last, "; number frames upwards"),
               {{"frame_id", absl::StrCat(id)}, {"last_frame_id", absl::StrCat(last)}});
}

absl::Status TooMuchUnanswered() {
  return Error(v1::LIMIT_EXCEEDED,
               absl::StrCat(kMaxUnansweredControls,
                            " control frames wait to be settled, or their answers "
                            "to be read: send less, read more"),
               {{"limit", "max_unanswered_controls"},
                {"limit_value", absl::StrCat(kMaxUnansweredControls)}});
}

absl::Status TooManyBytesWait() {
  return Error(v1::LIMIT_EXCEEDED,
               absl::StrCat("control frames of more than ", kMaxWaitingControlBytes,
                            " bytes wait to be settled: send less at once"),
               {{"limit", "max_waiting_control_bytes"},
                {"limit_value", absl::StrCat(kMaxWaitingControlBytes)}});
}

absl::Status TooManyErrorsWait() {
  return Error(v1::LIMIT_EXCEEDED,
               absl::StrCat(kMaxWaitingSettleErrors,
                            " settlements failed whose frames wait to be settled: send less, and "
                            "wait for answers"),
               {{"limit", "max_waiting_settle_errors"},
                {"limit_value", absl::StrCat(kMaxWaitingSettleErrors)}});
}

absl::Status ControlTooLarge(size_t bytes, size_t max) {
  return LimitError{v1::FRAME_TOO_LARGE,
                    "the control frame has bytes:",
                    bytes,
                    "limits.control_frame",
                    max,
                    "name or settle less at once, or raise the property"}
      .Make();
}

absl::Status ParseControl(absl::string_view frame, v1::SubscribeControl* control) {
  if (!control->ParseFromArray(frame.data(), static_cast<int>(frame.size()))) {
    return Error(v1::MALFORMED_MESSAGE,
                 "a frame is not a valid acta.v1.SubscribeControl: correct the encoder");
  }
  control->DiscardUnknownFields();  // Parts of it may be kept.
  return absl::OkStatus();
}

absl::Status TimedOut(absl::Duration silence) {
  return Error(v1::MEMBER_TIMED_OUT,
               absl::StrCat("no frame came from the member for ", absl::FormatDuration(silence),
                            ": reconnect, and send a tick every 5 s"));
}

}  // namespace

std::shared_ptr<LiveSubscription> LiveSubscription::Make(Deps deps, Caller caller,
                                                         EventSink& sink) {
  std::shared_ptr<LiveSubscription> stream(
      new LiveSubscription(std::move(deps), std::move(caller), sink));
  stream->self_ = stream;
  stream->post_ = stream->MakePost();
  stream->StartTimer(stream->deps_.hub.limits.member_timeout);
  return stream;
}

LiveSubscription::LiveSubscription(Deps deps, Caller caller, EventSink& sink)
    : deps_(std::move(deps)),
      caller_(std::move(caller)),
      gate_(sink),
      turns_(deps_.hub.pool),
      settlements_(outbox_),
      credit_(deps_.hub.limits),
      frame_bytes_(static_cast<size_t>(deps_.hub.limits.target_frame_bytes)),
      last_heard_(deps_.hub.clock.SinceBoot()) {}

LiveSubscription::~LiveSubscription() {
  if (!closed_) Close();
}

LiveSubscription::Post LiveSubscription::MakePost() {
  return [turns = turns_, weak = self_](Turns::Task task) {
    turns.Post([weak, task = std::move(task)]() mutable {
      const auto self = weak.lock();
      if (self == nullptr || self->closed_) return;
      std::move(task)();
      self->Send();
    });
  };
}

void LiveSubscription::RunTurn(Turns::Task task) {
  turns_.Run([self = self(), task = std::move(task)]() mutable {
    if (self->closed_) return;
    std::move(task)();
    self->Send();
  });
}

void LiveSubscription::OnControl(absl::string_view frame) {
  if (refusing_) return;  // Behind the end.
  const size_t size = frame.size();
  const size_t most = static_cast<size_t>(deps_.hub.limits.max_control_bytes);
  if (size > most) return Refuse(ControlTooLarge(size, most));
  if (waiting_.fetch_add(1, std::memory_order_relaxed) >= kMaxUnansweredControls) {
    return Refuse(TooMuchUnanswered());
  }
  if (waiting_bytes_.fetch_add(size, std::memory_order_relaxed) + size > kMaxWaitingControlBytes) {
    return Refuse(TooManyBytesWait());
  }
  // It waits as bytes: a message may take many times as much.
  RunTurn([this, bytes = std::string(frame)] {
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    waiting_bytes_.fetch_sub(bytes.size(), std::memory_order_relaxed);
    v1::SubscribeControl control;
    if (const absl::Status parsed = ParseControl(bytes, &control); !parsed.ok()) {
      return End(parsed);
    }
    OnFrame(control);
  });
}

void LiveSubscription::Refuse(const absl::Status& status) {
  refusing_ = true;
  RunTurn([this, status] { End(status); });
}

void LiveSubscription::OnFrame(const v1::SubscribeControl& control) {
  last_heard_ = deps_.hub.clock.SinceBoot();
  if (result_.has_value()) return;
  const uint64_t id = control.frame_id();
  if (!framed_) {
    if (!control.has_start()) return End(NotStarted());
    framed_ = true;
    last_frame_id_ = id;
    if (!deps_.open->Add(self())) return SayGoingAway();
    settlements_.Begin(id, false);
    return Start(id, control.start());
  }
  if (settlements_.size() >= kMaxUnansweredControls ||
      outbox_.answers() >= kMaxUnansweredControls) {
    return End(TooMuchUnanswered());
  }
  if (settlements_.failed_parts() >= kMaxWaitingSettleErrors) return End(TooManyErrorsWait());
  if (id <= last_frame_id_) return outbox_.Error(id, NotRising(id, last_frame_id_));
  last_frame_id_ = id;
  settlements_.Begin(id, control.has_credit() || control.has_tick());
  OnControlFrame(id, control);
}

void LiveSubscription::OnControlFrame(uint64_t frame_id, const v1::SubscribeControl& control) {
  switch (control.control_case()) {
    case v1::SubscribeControl::kCredit:
      return settlements_.Settle(frame_id, credit_.Add(control.credit()));
    case v1::SubscribeControl::kCommit:
      return Commit(frame_id, control.commit());
    case v1::SubscribeControl::kReleased:
      return settlements_.Settle(frame_id, Release(control.released().assignment()));
    case v1::SubscribeControl::kSettle:
      return Settle(frame_id, control.settle());
    case v1::SubscribeControl::kTick:
      return settlements_.Settle(frame_id, absl::OkStatus());
    case v1::SubscribeControl::kStart:
      return settlements_.Settle(frame_id,
                                 Error(v1::WRONG_STREAM_STATE,
                                       "the stream was started already: open a stream of its own"));
    case v1::SubscribeControl::CONTROL_NOT_SET:
      return settlements_.Settle(
          frame_id,
          Error(v1::UNSUPPORTED_FEATURE, "the frame has no control that this server knows"));
  }
}

void LiveSubscription::OnWritten() {
  RunTurn([this] { writing_ = false; });
}

void LiveSubscription::OnHalfClose() {
  RunTurn([this] {
    half_closed_ = true;
    last_heard_ = deps_.hub.clock.SinceBoot();
    // A read with an end is answered by its events; every other by what was asked until now.
    if (!bounded_) reading_ = false;
    Drain(absl::OkStatus());
  });
}

void LiveSubscription::OnDisconnect() {
  gate_.Close();
  RunTurn([this] { Close(); });
}

void LiveSubscription::GoAway() {
  RunTurn([this] { SayGoingAway(); });
}

void LiveSubscription::Abandon() {
  RunTurn([this] {
    reading_ = false;
    if (pump_ != nullptr) pump_->Clear();
    EndMembership(feed_ != nullptr);
  });
}

void LiveSubscription::SayGoingAway() {
  if (ending_) return;
  const absl::Status status =
      Error(v1::SERVER_STOPPING, "the server is stopping: reconnect after the delay");
  outbox_.GoingAway(RetryAfterOf(status));
  reading_ = false;
  Drain(status);
}

void LiveSubscription::End(const absl::Status& status) {
  if (ending_) return;
  ending_ = true;
  result_ = status;
  reading_ = false;
  if (pump_ != nullptr) pump_->Clear();
  EndMembership(false);
}

void LiveSubscription::Drain(const absl::Status& status) {
  if (!result_.has_value()) result_ = status;
}

bool LiveSubscription::Drained() const {
  if (!outbox_.empty() || !settlements_.empty()) return false;
  return !reading_ || pump_ == nullptr || pump_->ended() || !credit_.open();
}

void LiveSubscription::Send() {
  while (!closed_ && !writing_) {
    if (ending_) return Finish();
    OutgoingFrame frame;
    const bool alone = outbox_.empty();
    outbox_.Take(frame_bytes_ - kFrameHeadBytes, &frame.control);
    if (outbox_.empty() && reading_ && !paused_) {
      if (feed_ != nullptr) {
        feed_->Fill(alone, &frame);
      } else if (pump_ != nullptr) {
        pump_->Fill(alone, &frame);
      }
    }
    if (!alone || !frame.batches.empty()) {
      writing_ = true;
      // It can show that it is there by reading only.
      if (half_closed_) last_heard_ = deps_.hub.clock.SinceBoot();
      gate_.Send(std::move(frame));
    } else if (outbox_.empty()) {
      const absl::Status failure = feed_ != nullptr   ? feed_->failure()
                                   : pump_ != nullptr ? pump_->failure()
                                                      : absl::OkStatus();
      if (!failure.ok()) {
        End(failure);
        continue;
      }
      if (result_.has_value() && Drained()) Finish();
      return;
    }
  }
}

void LiveSubscription::Finish() {
  // What a stopping server takes away is no fault of the member.
  const bool stopping = feed_ != nullptr && ReasonOf(*result_) == v1::SERVER_STOPPING;
  EndMembership(result_->ok() || stopping);
  gate_.Finish(*result_);
  Close();
}

void LiveSubscription::Close() {
  closed_ = true;
  if (timer_ != 0) deps_.hub.timer.Cancel(std::exchange(timer_, 0));
  if (pump_ != nullptr) pump_->Clear();
  before_joined_.clear();
  EndMembership(false);
  deps_.open->Remove(this);
}

void LiveSubscription::StartTimer(absl::Duration delay) {
  timer_ = deps_.hub.timer.After(delay, [this, post = post_] { post([this] { OnTimer(); }); });
}

void LiveSubscription::OnTimer() {
  timer_ = 0;
  if (ending_) return;
  if (!group_.empty()) return LookAtSilence();
  if (result_.has_value()) return;
  if (!framed_) return End(NotStarted());
  // Until the positions are found nobody knows whether a topic is followed.
  if (resolved_ && followed_.empty()) return;
  AddNewPartitions();
  StartTimer(kGrowthLook);
}

void LiveSubscription::LookAtSilence() {
  const absl::Duration timeout = deps_.hub.limits.member_timeout;
  // Who said its last and waits for answers is not silent. Who does not read them is.
  const bool waits = half_closed_ && !writing_;
  const absl::Duration silence =
      waits ? absl::ZeroDuration() : deps_.hub.clock.SinceBoot() - last_heard_;
  if (silence >= timeout) return End(TimedOut(silence));
  StartTimer(timeout - silence);
}

}  // namespace acta
