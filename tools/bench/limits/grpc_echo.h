#pragma once

#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"

namespace acta::bench {

// Methods it knows.
inline constexpr char kSinkMethod[] = "/limits/sink";    // Reads, and answers once at the end.
inline constexpr char kEchoMethod[] = "/limits/echo";    // Sends every message back.
inline constexpr char kUnaryMethod[] = "/limits/unary";  // Sends one message back and ends.

// A gRPC server on loopback that does nothing with the bytes it gets: one completion queue, one
// thread, one call at a time.
class GrpcEcho {
 public:
  // Errors: UNAVAILABLE when it cannot listen.
  static absl::StatusOr<std::unique_ptr<GrpcEcho>> Start();
  ~GrpcEcho();
  GrpcEcho(const GrpcEcho&) = delete;
  GrpcEcho& operator=(const GrpcEcho&) = delete;

  const std::string& address() const { return address_; }

 private:
  GrpcEcho() = default;

  // Waits for the one operation that is under way. False: it failed, or the server stops.
  bool Await();
  void Serve();
  bool ServeCall();

  grpc::AsyncGenericService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  std::thread thread_;
};

}  // namespace acta::bench
