#include "server/rpc/publish_stream.h"

#include <utility>

#include "server/rpc/byte_buffers.h"

namespace acta {
namespace {

constexpr absl::string_view kPublishStreamMethod = "/acta.v1.Publisher/PublishStream";
// What a frame costs beside its bytes and those of its answer.
constexpr int64_t kFrameCost = 512;
// Of one message of answers, unless one answer alone is larger.
constexpr size_t kTargetMessageBytes = 1 << 20;
// So many frames one after the other that each had been answered before the next one was taken:
// then the client is believed to wait for answers. Whether it still does is seen at every 16th.
constexpr int64_t kAloneToBelieve = 8;
constexpr int64_t kAloneToLook = 16;

}  // namespace

PublishStream::PublishStream(Edge& edge, RawPublisher& service, grpc::ServerCompletionQueue& queue)
    : live_(edge), edge_(edge), service_(service), queue_(queue) {}

PublishStream::~PublishStream() {
  if (session_ == nullptr) return;
  edge_.publish_streams.fetch_sub(1, std::memory_order_relaxed);
  edge_.Remove(this);
  edge_.room_bell->Forget(this);
  edge_.waiting_publishes->Forget(this);
}

void PublishStream::Listen(Edge& edge, RawPublisher& service, grpc::ServerCompletionQueue& queue) {
  const auto call = std::make_shared<PublishStream>(edge, service, queue);
  call->context_.AsyncNotifyWhenDone(call->on_done_.Arm(call));
  service.RequestPublishStream(&call->context_, &call->stream_, &queue, &queue,
                               call->on_started_.Arm(call));
}

void PublishStream::OnStarted(bool ok) {
  if (!ok) {  // The server is shutting down.
    on_done_.Disarm();
    return;
  }
  Listen(edge_, service_, queue_);
  absl::StatusOr<Caller> caller = edge_.Admit(kPublishStreamMethod, context_, nullptr);
  if (!caller.ok()) {
    stream_.Finish(edge_.EndOf(caller.status()), on_finished_.Arm(shared_from_this()));
    return;
  }
  session_ = std::make_unique<PublishSession>(edge_.deps.publish, *std::move(caller),
                                              /*stream=*/true);
  edge_.publish_streams.fetch_add(1, std::memory_order_relaxed);
  edge_.Add(this, weak_from_this());
  OnServerChange();  // It may have begun to stop since Admit().
  Advance();
}

void PublishStream::OnServerChange() {
  if (!edge_.stopping()) return;
  {
    MutexLock lock(mu_);
    EndWith(ServerStopping());
  }
  Advance();
}

void PublishStream::EndWith(const absl::Status& status) {
  if (!end_.has_value()) end_ = status;
}

void PublishStream::OnRead(bool ok) {
  if (ok) return BeginFrame();
  {
    MutexLock lock(mu_);
    reading_ = false;
    EndWith(absl::OkStatus());  // Half-closed, or broken: then nothing that is written arrives.
  }
  Advance();
}

void PublishStream::BeginFrame() {
  const int64_t cost = static_cast<int64_t>(incoming_.Length()) + kFrameCost;
  bool ending = false;
  {
    MutexLock lock(mu_);
    ending = end_.has_value();
    if (ending) {
      reading_ = false;
    } else {
      ++unanswered_frames_;
      unanswered_cost_ += cost;
      frames_alone_ = unanswered_frames_ == 1 ? frames_alone_ + 1 : 0;
    }
  }
  if (ending) return Advance();
  const absl::Status begun = session_->Begin(ToSharedBytes(incoming_));
  if (begun.ok() && session_->MayBlock()) return AwaitPool(cost);
  incoming_.Clear();  // Or gRPC holds it until the next one comes.
  if (!begun.ok()) return OnTaken(begun, cost);
  TakeFrame(cost);
}

void PublishStream::AwaitPool(int64_t cost) {
  WaitingPublishes& waiting = *edge_.waiting_publishes;
  const auto bytes = static_cast<int64_t>(incoming_.Length());
  if (std::optional<WaitingPublishes::Lease> lease = waiting.Take(bytes); lease.has_value()) {
    incoming_.Clear();
    return TakeOnPool(cost, *std::move(lease));
  }
  session_->LetGo();
  // Held weakly: with its client goes what waits for it.
  waiting.Await(this, bytes, [weak = weak_from_this(), cost](WaitingPublishes::Lease lease) {
    if (const auto held = weak.lock()) held->TakeOnPool(cost, std::move(lease));
  });
}

void PublishStream::TakeOnPool(int64_t cost, WaitingPublishes::Lease lease) {
  edge_.deps.pool.Post([self = shared_from_this(), cost, lease = std::move(lease)]() mutable {
    lease.End();
    if (self->incoming_.Valid()) {
      const absl::Status begun = self->session_->Begin(ToSharedBytes(self->incoming_));
      self->incoming_.Clear();
      if (!begun.ok()) return self->OnTaken(begun, cost);
    }
    self->TakeFrame(cost);
  });
}

void PublishStream::TakeFrame(int64_t cost) {
  OnTaken(session_->Take([weak = weak_from_this(), cost](v1::FrameResult result) {
    if (const auto held = weak.lock()) held->OnAnswer({cost, std::move(result)});
  }),
          cost);
}

void PublishStream::OnTaken(const absl::Status& status, int64_t cost) {
  {
    MutexLock lock(mu_);
    reading_ = false;
    // Answered at once: the next one may be there already.
    if (unanswered_frames_ == 0) frames_alone_ = 0;
    if (!status.ok()) {
      --unanswered_frames_;
      unanswered_cost_ -= cost;
      EndWith(status);
    }
  }
  Advance();
}

void PublishStream::OnAnswer(Answer answer) {
  edge_.CountRejections(answer.result);
  // It waits for a client that may not read.
  const auto answer_cost = static_cast<int64_t>(answer.result.SpaceUsedLong());
  answer.cost += answer_cost;
  {
    MutexLock lock(mu_);
    --unanswered_frames_;
    unanswered_cost_ += answer_cost;
    answers_.push_back(std::move(answer));
  }
  Advance();
}

void PublishStream::OnWritten(bool ok) {
  if (!ok) return;  // Broken: the turn stays taken.
  const bool hand_empty = sent_of_hand_ == in_hand_.size();
  {
    MutexLock lock(mu_);
    unanswered_cost_ -= cost_of_write_;
    turn_ = false;
    hand_empty_ = hand_empty;
  }
  Advance();
}

bool PublishStream::AnswersFirst() const {
  return unanswered_frames_ > 0 && frames_alone_ >= kAloneToBelieve &&
         frames_alone_ % kAloneToLook != 0;
}

void PublishStream::Advance() {
  bool read = false;
  bool write = false;
  bool wait_for_room = false;
  std::optional<absl::Status> end;
  {
    MutexLock lock(mu_);
    std::atomic<int64_t>* paused = nullptr;
    if (reading_ || end_.has_value() || AnswersFirst()) {
      // Nothing more to read now.
    } else if (unanswered_cost_ >= edge_.deps.limits.max_unanswered_bytes) {
      paused = &edge_.publish_streams_unanswered;
    } else if (edge_.deps.publish.engine.HasRoom()) {
      read = reading_ = true;
    } else {
      paused = &edge_.publish_streams_without_room;
      wait_for_room = !std::exchange(waits_for_room_, true);
    }
    paused_.Set(paused);
    if (!turn_ && (!hand_empty_ || !answers_.empty())) {
      write = turn_ = true;
      if (hand_empty_) {
        in_hand_.clear();
        in_hand_.swap(answers_);
        sent_of_hand_ = 0;
        hand_empty_ = false;
      }
    } else if (!turn_ && end_.has_value() && unanswered_frames_ == 0) {
      turn_ = true;
      end = end_;
    }
  }
  if (write) WriteSome();  // Before the read, whose window update goes along with it.
  if (read) stream_.Read(&incoming_, on_read_.Arm(shared_from_this()));
  if (wait_for_room) WaitForRoom();
  if (end.has_value()) {
    const grpc::Status status = edge_.EndOf(*end);
    stream_.Finish(status, on_finished_.Arm(shared_from_this()));
  }
}

void PublishStream::WaitForRoom() {
  edge_.room_bell->Await(edge_.deps.publish, this, [weak = weak_from_this()] {
    const auto held = weak.lock();
    if (held == nullptr) return;
    {
      MutexLock lock(held->mu_);
      held->waits_for_room_ = false;
    }
    held->Advance();
  });
}

void PublishStream::WriteSome() {
  v1::PublishResults message;
  size_t bytes = 0;
  cost_of_write_ = 0;
  if (!std::exchange(features_told_, true)) {
    for (const std::string& feature : session_->granted_features()) {
      message.add_granted_features(feature);
    }
  }
  while (sent_of_hand_ < in_hand_.size()) {
    Answer& next = in_hand_[sent_of_hand_];
    bytes += next.result.ByteSizeLong();
    if (bytes > kTargetMessageBytes && message.results_size() > 0) break;
    cost_of_write_ += next.cost;
    *message.add_results() = std::move(next.result);
    ++sent_of_hand_;
  }
  stream_.Write(ToByteBuffer(message), on_written_.Arm(shared_from_this()));
}

}  // namespace acta
