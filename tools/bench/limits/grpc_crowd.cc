#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/base/status_macros.h"
#include "tools/bench/latencies.h"
#include "tools/bench/limits/grpc_echo.h"
#include "tools/bench/limits/limit.h"

namespace acta::bench {
namespace {

constexpr size_t kStreams = 1'000;
constexpr size_t kCrowdMessage = 512;  // Four events of 100 bytes and what is around them.

// Streams with a connection each, that send their next message when they have the answer to the one
// before.
//
// Threads: one.
class EchoCrowd {
 public:
  EchoCrowd(const std::string& address, size_t streams) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    for (size_t i = 0; i < streams; ++i) {
      crowd_.push_back(std::make_unique<One>(
          grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments)));
      One& one = *crowd_.back();
      one.call = one.stub.PrepareCall(&one.context, kEchoMethod, &queue_);
      one.call->StartCall(&one);
    }
  }
  ~EchoCrowd() {
    for (const auto& one : crowd_) one->context.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  // How long the trips of `nanos` took, one at least, which begin when every stream has made its
  // first one.
  absl::Status Run(int64_t nanos, Latencies* latencies) {
    int64_t counts_from = std::numeric_limits<int64_t>::max(), end = counts_from;
    size_t waiting = crowd_.size();
    void* tag = nullptr;
    bool ok = false;
    while ((NowNanos() < end || latencies->count() == 0) && queue_.Next(&tag, &ok)) {
      if (!ok) return absl::UnavailableError("a stream of the crowd broke");
      One& one = *static_cast<One*>(tag);
      if (--one.under_way > 0) continue;
      const int64_t now = NowNanos();
      if (one.sent_at >= counts_from) latencies->Add(now - one.sent_at);
      if (one.trips++ == 1 && --waiting == 0) {
        counts_from = now;
        end = now + nanos;
      }
      one.sent_at = now;
      one.under_way = 2;
      one.call->Write(message_, &one);
      one.call->Read(&one.answer, &one);
    }
    return absl::OkStatus();
  }

 private:
  struct One {
    explicit One(const std::shared_ptr<grpc::Channel>& channel) : stub(channel) {}
    grpc::GenericStub stub;
    grpc::ClientContext context;
    std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call;
    grpc::ByteBuffer answer;
    int under_way = 1;  // Operations; the first one opens the stream.
    int64_t trips = 0;  // That have begun, with the opening.
    int64_t sent_at = 0;
  };

  const grpc::ByteBuffer message_ = EchoMessage(kCrowdMessage);
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<One>> crowd_;
};

}  // namespace

LimitRows GrpcCrowd(const LimitSettings& settings) {
  ASSIGN_OR_RETURN(const std::unique_ptr<GrpcEcho> server, GrpcEcho::Start());
  EchoCrowd crowd(server->address(), kStreams);
  Latencies latencies;
  RETURN_IF_ERROR(crowd.Run(static_cast<int64_t>(settings.seconds * 1e9), &latencies));
  return LatencyRows("grpc_crowd", latencies);
}

}  // namespace acta::bench
