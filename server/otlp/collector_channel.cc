#include "server/otlp/collector_channel.h"

#include <grpc/grpc.h>
#include <grpcpp/create_channel.h>

#include <utility>

#include "absl/time/time.h"
#include "server/otlp/span_exporter.h"

namespace acta {
namespace {

// Also of what was sent and is not acknowledged: gRPC sets TCP_USER_TIMEOUT to it.
constexpr absl::Duration kMostSilence = absl::Seconds(10);

int Milliseconds(absl::Duration time) { return static_cast<int>(absl::ToInt64Milliseconds(time)); }

}  // namespace

grpc::ChannelArguments CollectorArguments() {
  grpc::ChannelArguments arguments;
  // gRPC adds up to a fifth. While it waits calls fail at once: with its own 2 minutes a collector
  // that is back would not be tried.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS,
                   Milliseconds(SpanExporter::kMostDelay * 5 / 6));
  // Only while a call runs: collectors refuse more.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(SpanExporter::kMostDelay));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kMostSilence));
  return arguments;
}

CollectorChannel::CollectorChannel(std::string address,
                                   std::shared_ptr<grpc::ChannelCredentials> credentials)
    : address_(std::move(address)), credentials_(std::move(credentials)) {}

const std::shared_ptr<grpc::Channel>& CollectorChannel::Get() {
  const bool good =
      channel_ != nullptr && channel_->GetState(false) != GRPC_CHANNEL_TRANSIENT_FAILURE;
  if (!good) channel_ = grpc::CreateCustomChannel(address_, credentials_, CollectorArguments());
  return channel_;
}

}  // namespace acta
