#include "tools/bench/limits/grpc_echo.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <chrono>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace acta::bench {

grpc::ByteBuffer EchoMessage(size_t size) {
  const grpc::Slice slice(std::string(size, 'x'));
  return grpc::ByteBuffer(&slice, 1);
}

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
  thread_.join();
}

// Has one operation under way at any time, and is gone when there is no next one. One always waits
// for a caller while the server runs, so that the last one to go ends the queue: none begins an
// operation on it later.
class GrpcEcho::Call {
 public:
  // Waits for the next caller. `echo` is used while its server runs.
  explicit Call(GrpcEcho& echo) : echo_(echo) {
    ++echo_.calls_;
    echo_.service_.RequestCall(&context_, &stream_, echo_.queue_.get(), echo_.queue_.get(), this);
  }

  ~Call() {
    if (--echo_.calls_ == 0) echo_.queue_->Shutdown();
  }

  void OnDone(bool ok) {
    switch (done_) {
      case Done::kStarted:
        if (!ok) return delete this;  // The server stops.
        new Call(echo_);
        return Read();
      case Done::kRead:
        if (!ok) return Finish();
        return OnRead();
      case Done::kWritten:
        return ok ? Read() : Finish();
      case Done::kFinished:
        return delete this;
    }
  }

 private:
  enum class Done { kStarted, kRead, kWritten, kFinished };

  void Read() {
    done_ = Done::kRead;
    stream_.Read(&message_, this);
  }
  void OnRead() {
    if (context_.method() == kSinkMethod) return Read();
    if (context_.method() == kUnaryMethod) {
      done_ = Done::kFinished;
      return stream_.WriteAndFinish(message_, grpc::WriteOptions(), grpc::Status::OK, this);
    }
    done_ = Done::kWritten;
    stream_.Write(message_, this);
  }
  void Finish() {
    done_ = Done::kFinished;
    stream_.Finish(grpc::Status::OK, this);
  }

  GrpcEcho& echo_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  grpc::ByteBuffer message_;
  Done done_ = Done::kStarted;  // What the operation under way will have done.
};

void GrpcEcho::Serve() {
  new Call(*this);
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) static_cast<Call*>(tag)->OnDone(ok);
}

}  // namespace acta::bench
