#include "server/rpc/reflection_stream.h"

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/rpc/reflection_answers.h"

namespace acta {
namespace {

constexpr absl::string_view kMethod =
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
// An answer repeats its question, and waits in memory for a client that may not read it.
constexpr size_t kMostQuestionBytes = 4096;

absl::Status QuestionTooLong(size_t bytes) {
  return Error(v1::INVALID_ARGUMENT,
               absl::StrCat("the question has ", bytes, " bytes; one of reflection has at most ",
                            kMostQuestionBytes));
}

}  // namespace

ReflectionStream::ReflectionStream(Edge& edge, AsyncReflection& service,
                                   grpc::ServerCompletionQueue& queue)
    : live_(edge), edge_(edge), service_(service), queue_(queue) {}

ReflectionStream::~ReflectionStream() { edge_.Remove(this); }

void ReflectionStream::Listen(Edge& edge, AsyncReflection& service,
                              grpc::ServerCompletionQueue& queue) {
  const auto call = std::make_shared<ReflectionStream>(edge, service, queue);
  call->context_.AsyncNotifyWhenDone(call->on_done_.Arm(call));
  service.RequestServerReflectionInfo(&call->context_, &call->stream_, &queue, &queue,
                                      call->on_started_.Arm(call));
}

void ReflectionStream::OnStarted(bool ok) {
  if (!ok) {  // The server is shutting down.
    on_done_.Disarm();
    return;
  }
  Listen(edge_, service_, queue_);
  const absl::StatusOr<Caller> caller = edge_.Admit(kMethod, context_, nullptr);
  if (!caller.ok()) {
    Finish(caller.status());
    return;
  }
  edge_.Add(this, weak_from_this());
  OnServerChange();  // It may have begun to stop since Admit().
  Read();
}

void ReflectionStream::OnServerChange() {
  if (edge_.stopping()) context_.TryCancel();
}

void ReflectionStream::Read() { stream_.Read(&request_, on_read_.Arm(shared_from_this())); }

void ReflectionStream::OnRead(bool ok) {
  if (!ok) return Finish(absl::OkStatus());
  const size_t bytes = request_.ByteSizeLong();
  if (bytes > kMostQuestionBytes) return Finish(QuestionTooLong(bytes));
  stream_.Write(AnswerReflection(request_), on_written_.Arm(shared_from_this()));
}

void ReflectionStream::OnWritten(bool ok) {
  if (ok) Read();
}

void ReflectionStream::Finish(const absl::Status& status) {
  stream_.Finish(edge_.EndOf(status), on_finished_.Arm(shared_from_this()));
}

}  // namespace acta
