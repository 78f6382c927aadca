#include "server/rpc/unary_call.h"

#include "absl/time/clock.h"

namespace acta {

UnaryCall::UnaryCall(Edge& edge, const UnaryMethod& method, grpc::ServerCompletionQueue& queue)
    : live_(edge), edge_(edge), method_(method), queue_(queue) {}

void UnaryCall::Listen(Edge& edge, const UnaryMethod& method, grpc::ServerCompletionQueue& queue) {
  const auto call = std::make_shared<UnaryCall>(edge, method, queue);
  call->context_.AsyncNotifyWhenDone(call->on_done_.Arm(call));
  method.request(&call->context_, &call->request_, &call->responder_, &queue,
                 call->on_started_.Arm(call));
}

void UnaryCall::OnStarted(bool ok) {
  if (!ok) {  // The server is shutting down.
    on_done_.Disarm();
    return;
  }
  Listen(edge_, method_, queue_);
  method_.run(shared_from_this());
  request_.Clear();  // Who waits for events does so for long.
}

void UnaryCall::OnAnswered(bool) {
  if (take_limit_ != nullptr) take_limit_->Cancel();
}

void UnaryCall::OnDone(bool) {
  if (at_end_) at_end_();
}

void UnaryCall::OnTakeLimit(bool reached) {
  if (reached) context_.TryCancel();
}

void UnaryCall::Answer(const absl::StatusOr<grpc::ByteBuffer>& answer) {
  if (!answer.ok()) return Fail(edge_.EndOf(answer.status()));
  responder_.Finish(*answer, grpc::Status::OK, on_answered_.Arm(shared_from_this()));
}

void UnaryCall::AnswerPage(const grpc::ByteBuffer& page, ByteBudget::Lease lease) {
  if (lease.bytes() > 0) {
    lease_ = std::move(lease);
    take_limit_ = std::make_unique<grpc::Alarm>();
    take_limit_->Set(&queue_, absl::ToChronoTime(absl::Now() + edge_.deps.limits.answer_timeout),
                     on_take_limit_.Arm(shared_from_this()));
  }
  responder_.Finish(page, grpc::Status::OK, on_answered_.Arm(shared_from_this()));
}

void UnaryCall::Fail(const grpc::Status& end) {
  responder_.FinishWithError(end, on_answered_.Arm(shared_from_this()));
}

}  // namespace acta
