#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace grpc {
class Channel;
}

namespace acta::client {

struct ChannelOptions {
  // Of a unary call.
  absl::Duration deadline = absl::Seconds(30);
  int32_t max_receive_bytes = 17 << 20;
  // Between attempts to connect: doubles from the first to the second.
  absl::Duration min_backoff = absl::Milliseconds(100);
  absl::Duration max_backoff = absl::Seconds(5);
};

// Channel is a connection to one broker, made when it is first used and again whenever it breaks.
// Admin, Publisher and Subscriber share one.
//
// Threads: any.
class Channel {
 public:
  // `address` is HOST:PORT; without a port, 7450.
  explicit Channel(absl::string_view address, const ChannelOptions& options = {});
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  const std::string& address() const { return address_; }
  const ChannelOptions& options() const { return options_; }

  // Connects now. Errors: UNAVAILABLE naming the address when it took longer than `timeout`.
  absl::Status WaitUntilConnected(absl::Duration timeout);

  const std::shared_ptr<grpc::Channel>& grpc() const { return grpc_; }

 private:
  const std::string address_;
  const ChannelOptions options_;
  const std::shared_ptr<grpc::Channel> grpc_;
};

}  // namespace acta::client
