#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/cpp/export.h"
#include "client/cpp/hooks.h"

namespace grpc {
class Channel;
}

namespace acta::client {

struct ChannelOptions {
  // Of a unary call, above zero. A publish stream that answers nothing for so long is broken.
  absl::Duration deadline = absl::Seconds(30);
  // Of one message; larger ones fail their call. The broker sends at most 17 MiB.
  int32_t max_receive_bytes = 17 << 20;
  // Between attempts to connect: doubles from the first to the second.
  absl::Duration min_backoff = absl::Milliseconds(100);
  absl::Duration max_backoff = absl::Seconds(5);

  // Told what the publishers, subscribers and workers of the channel do; hooks.h says in which
  // threads. Null: nobody asks.
  std::shared_ptr<Metrics> metrics;
  std::function<LogHook> log;
};

// Channel is a connection to one broker, made when it is first used and again whenever it breaks.
// Admin, Publisher and Subscriber share one.
//
// Threads: any.
class ACTA_CLIENT_EXPORT Channel {
 public:
  // `address` is HOST:PORT; without a port, 7450.
  explicit Channel(absl::string_view address, const ChannelOptions& options = {});
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  const std::string& address() const;
  const ChannelOptions& options() const;

  // Connects now. Errors: UNAVAILABLE naming the address when it took longer than `timeout`.
  absl::Status WaitUntilConnected(absl::Duration timeout);

  // For stubs that are generated elsewhere.
  const std::shared_ptr<grpc::Channel>& grpc() const;

 private:
  struct Core;
  const std::unique_ptr<Core> core_;
};

}  // namespace acta::client
