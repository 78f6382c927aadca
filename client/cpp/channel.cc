#include "client/cpp/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"

namespace acta::client {
namespace {

constexpr int kDefaultPort = 7450;

// "host", "host:port", "[v6]" and "[v6]:port"; a bare IPv6 address has several colons.
std::string WithPort(absl::string_view address) {
  const size_t bracket = address.rfind(']');
  const size_t colon = address.rfind(':');
  if (bracket != absl::string_view::npos) {
    if (colon != absl::string_view::npos && colon > bracket) return std::string(address);
    return absl::StrCat(address, ":", kDefaultPort);
  }
  if (colon == absl::string_view::npos) return absl::StrCat(address, ":", kDefaultPort);
  if (address.find(':') != colon) return absl::StrCat("[", address, "]:", kDefaultPort);
  return std::string(address);
}

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

std::shared_ptr<grpc::Channel> Connect(const std::string& address, const ChannelOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(options.max_receive_bytes);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, Milliseconds(options.min_backoff));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, Milliseconds(options.max_backoff));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Milliseconds(options.max_backoff));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  // A channel is one connection: its load is not mixed with that of another to the same broker.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // gRPC's own retries keep copies of what was sent and know nothing of sequences.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

struct ACTA_CLIENT_HIDDEN Channel::Core {
  Core(absl::string_view named, const ChannelOptions& given)
      : address(WithPort(named)), options(given), grpc(Connect(address, options)) {}

  const std::string address;
  const ChannelOptions options;
  const std::shared_ptr<grpc::Channel> grpc;
};

Channel::Channel(absl::string_view address, const ChannelOptions& options)
    : core_(std::make_unique<Core>(address, options)) {}

Channel::~Channel() = default;

const std::string& Channel::address() const { return core_->address; }

const ChannelOptions& Channel::options() const { return core_->options; }

const std::shared_ptr<grpc::Channel>& Channel::grpc() const { return core_->grpc; }

absl::Status Channel::WaitUntilConnected(absl::Duration timeout) {
  const auto deadline = std::chrono::system_clock::now() +
                        absl::ToChronoMicroseconds(std::min(timeout, absl::Hours(24)));
  if (core_->grpc->WaitForConnected(deadline)) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("broker '", address(), "' cannot be reached within ",
                                             absl::FormatDuration(timeout)));
}

}  // namespace acta::client
