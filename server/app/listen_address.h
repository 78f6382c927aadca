#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace acta {

// Where a listener stands: an IP address and a port.
struct ListenAddress {
  std::string host;   // 127.0.0.1, ::1
  uint16_t port = 0;  // 0: a free one.
  bool loopback = false;

  // HOST:PORT, with brackets around an IPv6 address.
  std::string Text() const;
};

// Reads HOST:PORT, [HOST]:PORT or localhost:PORT. Errors: INVALID_ARGUMENT saying what to write.
absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text);

}  // namespace acta
