#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>

#include <memory>
#include <string>

#include "server/rpc/async_services.h"
#include "server/rpc/completion_loop.h"
#include "server/rpc/edge.h"
#include "storage/base/mutex.h"

namespace acta {

// The health of a service by its full name; an empty name is the whole server.
grpc::health::v1::HealthCheckResponse::ServingStatus HealthOf(const Edge& edge,
                                                              const std::string& service);

// One Watch call of grpc.health.v1.Health: tells the health, then each change of it. Ends when the
// server stops, after it told that.
//
// Threads:   loop and its relief, and whoever changes the server's state.
// Ownership: borrows all it is made with. gRPC keeps it until the call is over.
class HealthWatch final : public OpenStream, public std::enable_shared_from_this<HealthWatch> {
 public:
  // Waits for the next caller, and after that for the one after it.
  static void Listen(Edge& edge, AsyncHealth& service, grpc::ServerCompletionQueue& queue);
  HealthWatch(Edge& edge, AsyncHealth& service, grpc::ServerCompletionQueue& queue);
  ~HealthWatch() override;

  void OnServerChange() override;

 private:
  using Response = grpc::health::v1::HealthCheckResponse;

  void OnStarted(bool ok);
  void OnWritten(bool ok);
  void OnEnd(bool) {}

  static constexpr bool kAnyThread = true;

  const LiveCall live_;
  Edge& edge_;
  AsyncHealth& service_;
  grpc::ServerCompletionQueue& queue_;
  grpc::ServerContext context_;
  // Null once it is known whom it asks about: a name may be long, and a watch goes on for long.
  std::unique_ptr<grpc::health::v1::HealthCheckRequest> request_ =
      std::make_unique<grpc::health::v1::HealthCheckRequest>();
  bool known_ = false;  // There is such a service.
  grpc::ServerAsyncWriter<Response> writer_{&context_};
  CallTag<HealthWatch> on_started_{&HealthWatch::OnStarted, kAnyThread};
  CallTag<HealthWatch> on_written_{&HealthWatch::OnWritten, kAnyThread};
  CallTag<HealthWatch> on_finished_{&HealthWatch::OnEnd, kAnyThread};
  CallTag<HealthWatch> on_done_{&HealthWatch::OnEnd, kAnyThread};

  Mutex mu_;                                // Leaf.
  bool turn_ ABSL_GUARDED_BY(mu_) = false;  // Somebody writes or finishes, or nobody may.
  Response told_ ABSL_GUARDED_BY(mu_);      // UNKNOWN before the first.
};

}  // namespace acta
