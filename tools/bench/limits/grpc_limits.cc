#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/latencies.h"
#include "tools/bench/limits/grpc_echo.h"
#include "tools/bench/limits/limit.h"

namespace acta::bench {
namespace {

constexpr size_t kPing = 128;

// A completion queue that one thread uses for one operation at a time.
class OneAtATime {
 public:
  ~OneAtATime() {
    queue_.Shutdown();
    while (Await()) {
    }
  }
  bool Await() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }
  void* tag() { return this; }
  grpc::CompletionQueue* queue() { return &queue_; }

 private:
  grpc::CompletionQueue queue_;
};

// One bidirectional call.
class Stream {
 public:
  Stream(const std::string& address, const char* method)
      : stub_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())) {
    call_ = stub_.PrepareCall(&context_, method, one_.queue());
    call_->StartCall(one_.tag());
    open_ = one_.Await();
  }

  bool Write(const grpc::ByteBuffer& message) {
    call_->Write(message, one_.tag());
    return one_.Await();
  }
  bool Read(grpc::ByteBuffer* message) {
    call_->Read(message, one_.tag());
    return one_.Await();
  }
  // OK when the server has read everything.
  absl::Status Finish() {
    grpc::Status status(grpc::StatusCode::UNAVAILABLE, "the call did not begin");
    if (open_) {
      call_->WritesDone(one_.tag());
      one_.Await();
      call_->Finish(&status, one_.tag());
      one_.Await();
    }
    return status.ok() ? absl::OkStatus() : absl::UnavailableError(status.error_message());
  }

 private:
  OneAtATime one_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  bool open_ = false;
};

LimitRows StreamRate(const char* name, size_t message_bytes, const LimitSettings& settings) {
  ASSIGN_OR_RETURN(const std::unique_ptr<GrpcEcho> server, GrpcEcho::Start());
  Stream stream(server->address(), kSinkMethod);
  const grpc::ByteBuffer message = EchoMessage(message_bytes);
  const int64_t begin = NowNanos();
  double sent = 0;
  const int64_t end = begin + static_cast<int64_t>(settings.seconds * 1e9);
  while (NowNanos() < end && stream.Write(message)) sent += static_cast<double>(message_bytes);
  RETURN_IF_ERROR(stream.Finish());
  return {{RateRow(name, sent, static_cast<double>(NowNanos() - begin) / 1e9)}};
}

// Calls `trip` again and again. Errors: its own.
template <typename Trip>
LimitRows RoundTrips(const char* name, const LimitSettings& settings, Trip trip) {
  constexpr int kWarmUp = 50;
  for (int i = 0; i < kWarmUp; ++i) RETURN_IF_ERROR(trip());
  Latencies latencies;
  const int64_t end = NowNanos() + static_cast<int64_t>(settings.seconds * 1e9);
  for (int64_t before = NowNanos(); before < end;) {
    RETURN_IF_ERROR(trip());
    const int64_t now = NowNanos();
    latencies.Add(now - before);
    before = now;
  }
  return LatencyRows(name, latencies);
}

}  // namespace

LimitRows GrpcStream64(const LimitSettings& settings) {
  return StreamRate("grpc_stream_64k", 64 << 10, settings);
}

LimitRows GrpcStream256(const LimitSettings& settings) {
  return StreamRate("grpc_stream_256k", 256 << 10, settings);
}

LimitRows GrpcStreamRoundTrip(const LimitSettings& settings) {
  ASSIGN_OR_RETURN(const std::unique_ptr<GrpcEcho> server, GrpcEcho::Start());
  Stream stream(server->address(), kEchoMethod);
  const grpc::ByteBuffer ping = EchoMessage(kPing);
  LimitRows rows = RoundTrips("grpc_stream_round_trip", settings, [&]() -> absl::Status {
    grpc::ByteBuffer pong;
    if (stream.Write(ping) && stream.Read(&pong)) return absl::OkStatus();
    return absl::UnavailableError("the echo stream broke");
  });
  RETURN_IF_ERROR(stream.Finish());
  return rows;
}

LimitRows GrpcUnary(const LimitSettings& settings) {
  ASSIGN_OR_RETURN(const std::unique_ptr<GrpcEcho> server, GrpcEcho::Start());
  OneAtATime one;
  grpc::GenericStub stub(
      grpc::CreateChannel(server->address(), grpc::InsecureChannelCredentials()));
  const grpc::ByteBuffer ping = EchoMessage(kPing);
  return RoundTrips("grpc_unary", settings, [&]() -> absl::Status {
    grpc::ClientContext context;
    const auto call = stub.PrepareUnaryCall(&context, kUnaryMethod, ping, one.queue());
    call->StartCall();
    grpc::ByteBuffer pong;
    grpc::Status status;
    call->Finish(&pong, &status, one.tag());
    one.Await();
    return status.ok() ? absl::OkStatus() : absl::UnavailableError(status.error_message());
  });
}

}  // namespace acta::bench
