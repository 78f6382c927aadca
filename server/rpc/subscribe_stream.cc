#include "server/rpc/subscribe_stream.h"

#include <grpc/grpc.h>

#include <utility>

#include "server/rpc/byte_buffers.h"

namespace acta {
namespace {

constexpr absl::string_view kSubscribeMethod = "/acta.v1.Subscriber/Subscribe";

}  // namespace

SubscribeStream::SubscribeStream(Edge& edge, RawSubscriber& service,
                                 grpc::ServerCompletionQueue& queue)
    : live_(edge), edge_(edge), service_(service), queue_(queue) {}

SubscribeStream::~SubscribeStream() {
  if (opened_) edge_.subscriptions.fetch_sub(1, std::memory_order_relaxed);
}

void SubscribeStream::Listen(Edge& edge, RawSubscriber& service,
                             grpc::ServerCompletionQueue& queue) {
  const auto call = std::make_shared<SubscribeStream>(edge, service, queue);
  call->context_.AsyncNotifyWhenDone(call->on_done_.Arm(call));
  service.RequestSubscribe(&call->context_, &call->stream_, &queue, &queue,
                           call->on_started_.Arm(call));
}

void SubscribeStream::OnStarted(bool ok) {
  if (!ok) {  // The server is shutting down.
    on_done_.Disarm();
    return;
  }
  Listen(edge_, service_, queue_);
  absl::StatusOr<Caller> caller = edge_.Admit(kSubscribeMethod, context_, nullptr);
  if (!caller.ok()) {
    Finish(caller.status());
    return;
  }
  opened_ = true;
  edge_.subscriptions.fetch_add(1, std::memory_order_relaxed);
  subscription_ = edge_.deps.subscribe.open(*std::move(caller), *this);
  Read();
}

void SubscribeStream::Read() { stream_.Read(&incoming_, on_read_.Arm(shared_from_this())); }

void SubscribeStream::OnRead(bool ok) {
  if (subscription_ == nullptr || finished()) return;
  if (ok) {
    const SharedBytes frame = ToSharedBytes(incoming_);
    incoming_.Clear();  // Or gRPC holds it until the next one comes.
    subscription_->OnControl(frame.view());
    if (!finished()) Read();
    return;
  }
  // A half-close is a member's clean leave; a broken stream is not, and OnDone() tells of it.
  if (grpc_call_failed_before_recv_message(context_.c_call()) == 0) subscription_->OnHalfClose();
}

void SubscribeStream::OnWritten(bool ok) {
  if (ok && subscription_ != nullptr) subscription_->OnWritten();
}

void SubscribeStream::OnDone(bool) {
  const std::shared_ptr<Subscription> subscription = std::exchange(subscription_, nullptr);
  if (subscription != nullptr && !finished()) subscription->OnDisconnect();
}

void SubscribeStream::Send(OutgoingFrame frame) {
  for (const v1::ControlError& error : frame.control.errors()) {
    edge_.deps.rejections.Count(error.status().reason());
  }
  stream_.Write(EncodeDelivery(frame.control, frame.batches), on_written_.Arm(shared_from_this()));
}

void SubscribeStream::Finish(const absl::Status& status) {
  const grpc::Status end = edge_.EndOf(status);
  void* tag = nullptr;
  {
    // One step: once it is finished OnDone() asks nobody, so something must keep the call alive.
    MutexLock lock(mu_);
    finished_ = true;
    tag = on_finished_.Arm(shared_from_this());
  }
  stream_.Finish(end, tag);
}

bool SubscribeStream::finished() const {
  MutexLock lock(mu_);
  return finished_;
}

}  // namespace acta
