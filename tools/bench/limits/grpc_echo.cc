#include "tools/bench/limits/grpc_echo.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/byte_buffer.h>

#include <chrono>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace acta::bench {

absl::StatusOr<std::unique_ptr<GrpcEcho>> GrpcEcho::Start() {
  std::unique_ptr<GrpcEcho> echo(new GrpcEcho);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterAsyncGenericService(&echo->service_);
  echo->queue_ = builder.AddCompletionQueue();
  echo->server_ = builder.BuildAndStart();
  if (echo->server_ == nullptr || port == 0) {
    return absl::UnavailableError("the gRPC server cannot listen on loopback");
  }
  echo->address_ = absl::StrCat("127.0.0.1:", port);
  echo->thread_ = std::thread([server = echo.get()] { server->Serve(); });
  return echo;
}

GrpcEcho::~GrpcEcho() {
  if (!thread_.joinable()) return;
  server_->Shutdown(std::chrono::system_clock::now());
  thread_.join();  // Before the queue ends: until then it may ask for another call.
  queue_->Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
  }
}

bool GrpcEcho::Await() {
  void* tag = nullptr;
  bool ok = false;
  return queue_->Next(&tag, &ok) && ok;
}

void GrpcEcho::Serve() {
  while (ServeCall()) {
  }
}

bool GrpcEcho::ServeCall() {
  grpc::GenericServerContext context;
  grpc::GenericServerAsyncReaderWriter stream(&context);
  service_.RequestCall(&context, &stream, queue_.get(), queue_.get(), this);
  if (!Await()) return false;
  grpc::ByteBuffer message;
  while (true) {
    stream.Read(&message, this);
    if (!Await()) break;
    if (context.method() == kSinkMethod) continue;
    if (context.method() == kUnaryMethod) {
      stream.WriteAndFinish(message, grpc::WriteOptions(), grpc::Status::OK, this);
      Await();
      return true;
    }
    stream.Write(message, this);
    if (!Await()) break;
  }
  stream.Finish(grpc::Status::OK, this);
  Await();
  return true;
}

}  // namespace acta::bench
