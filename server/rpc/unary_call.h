#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/rpc/completion_loop.h"
#include "server/rpc/edge.h"
#include "storage/base/byte_budget.h"

namespace acta {

class UnaryCall;

// A unary method that runs on the completion loop: request and answer are bytes.
struct UnaryMethod {
  using Responder = grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>;

  absl::string_view name;
  // Asks gRPC for one call.
  std::function<void(grpc::ServerContext*, grpc::ByteBuffer*, Responder*,
                     grpc::ServerCompletionQueue*, void* tag)>
      request;
  // Answers the call, now or later. Work that outlives it holds the call weakly: it ends with its
  // client.
  std::function<void(const std::shared_ptr<UnaryCall>& call)> run;
  // All steps of its calls may be run by the relief (CompletionLoop): `run` answers at once and
  // sets nothing that they use.
  bool any_thread = false;
};

// One call of a UnaryMethod, from waiting for a caller to its end.
//
// Threads:   one of Answer(), AnswerPage() and Fail() by any thread, once; the rest by that of the
//            call's queue, but for UnaryMethod::any_thread.
// Ownership: borrows all it is made with. gRPC keeps it until the call is over.
class UnaryCall final : public std::enable_shared_from_this<UnaryCall> {
 public:
  // Waits for the next caller, and after that for the one after it.
  static void Listen(Edge& edge, const UnaryMethod& method, grpc::ServerCompletionQueue& queue);
  UnaryCall(Edge& edge, const UnaryMethod& method, grpc::ServerCompletionQueue& queue);

  Edge& edge() const { return edge_; }
  absl::string_view method() const { return method_.name; }
  const grpc::ServerContext& context() const { return context_; }
  // Until UnaryMethod::run returns.
  const grpc::ByteBuffer& request() const { return request_; }
  void Answer(const absl::StatusOr<grpc::ByteBuffer>& answer);
  // As Answer(), with a page whose bytes are counted: the call is cut when its client does not take
  // it within RpcLimits::answer_timeout, and the lease goes with the call.
  void AnswerPage(const grpc::ByteBuffer& page, ByteBudget::Lease lease);
  // Instead of Answer(), with an end that is not ours.
  void Fail(const grpc::Status& end);
  // Runs `task` when the call is over: answered, or its client has gone. By UnaryMethod::run.
  void AtEnd(std::function<void()> task) { at_end_ = std::move(task); }

 private:
  void OnStarted(bool ok);
  void OnAnswered(bool);
  void OnDone(bool);
  void OnTakeLimit(bool reached);

  const LiveCall live_;
  Edge& edge_;
  const UnaryMethod& method_;
  grpc::ServerCompletionQueue& queue_;
  grpc::ServerContext context_;
  grpc::ByteBuffer request_;
  UnaryMethod::Responder responder_{&context_};
  CallTag<UnaryCall> on_started_{&UnaryCall::OnStarted, method_.any_thread};
  CallTag<UnaryCall> on_answered_{&UnaryCall::OnAnswered, method_.any_thread};
  CallTag<UnaryCall> on_done_{&UnaryCall::OnDone, method_.any_thread};
  CallTag<UnaryCall> on_take_limit_{&UnaryCall::OnTakeLimit};
  std::function<void()> at_end_;
  ByteBudget::Lease lease_;
  std::unique_ptr<grpc::Alarm> take_limit_;  // Null: the answer counts nothing.
};

}  // namespace acta
