#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>

#include <memory>

#include "server/rpc/async_services.h"
#include "server/rpc/completion_loop.h"
#include "server/rpc/edge.h"

namespace acta {

// One ServerReflectionInfo call: a question, its answer, the next question. Cut when the server
// stops: it has nothing to finish.
//
// Threads:   loop, and whoever changes the server's state.
// Ownership: borrows all it is made with. gRPC keeps it until the call is over.
class ReflectionStream final : public OpenStream,
                               public std::enable_shared_from_this<ReflectionStream> {
 public:
  // Waits for the next caller, and after that for the one after it.
  static void Listen(Edge& edge, AsyncReflection& service, grpc::ServerCompletionQueue& queue);
  ReflectionStream(Edge& edge, AsyncReflection& service, grpc::ServerCompletionQueue& queue);
  ~ReflectionStream() override;

  void OnServerChange() override;

 private:
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;

  void OnStarted(bool ok);
  void OnRead(bool ok);
  void OnWritten(bool ok);
  void OnEnd(bool) {}
  void Read();
  void Finish(const absl::Status& status);

  const LiveCall live_;
  Edge& edge_;
  AsyncReflection& service_;
  grpc::ServerCompletionQueue& queue_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<Response, Request> stream_{&context_};
  CallTag<ReflectionStream> on_started_{&ReflectionStream::OnStarted};
  CallTag<ReflectionStream> on_read_{&ReflectionStream::OnRead};
  CallTag<ReflectionStream> on_written_{&ReflectionStream::OnWritten};
  CallTag<ReflectionStream> on_finished_{&ReflectionStream::OnEnd};
  CallTag<ReflectionStream> on_done_{&ReflectionStream::OnEnd};
  Request request_;  // Of the loop's thread.
};

}  // namespace acta
