#pragma once

#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"

namespace acta::bench {

// Methods it knows.
inline constexpr char kSinkMethod[] = "/limits/sink";    // Reads, and answers once at the end.
inline constexpr char kEchoMethod[] = "/limits/echo";    // Sends every message back.
inline constexpr char kUnaryMethod[] = "/limits/unary";  // Sends one message back and ends.

grpc::ByteBuffer EchoMessage(size_t size);

// A gRPC server on loopback that does nothing with the bytes it gets: one completion queue, one
// thread, any number of calls.
class GrpcEcho {
 public:
  // Errors: UNAVAILABLE when it cannot listen.
  static absl::StatusOr<std::unique_ptr<GrpcEcho>> Start();
  ~GrpcEcho();
  GrpcEcho(const GrpcEcho&) = delete;
  GrpcEcho& operator=(const GrpcEcho&) = delete;

  const std::string& address() const { return address_; }

 private:
  class Call;
  GrpcEcho() = default;

  void Serve();

  grpc::AsyncGenericService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  std::thread thread_;
  int64_t calls_ = 0;  // Of the thread.
};

}  // namespace acta::bench
