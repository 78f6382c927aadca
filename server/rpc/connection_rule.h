#pragma once

#include <asio/ip/address.hpp>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "server/core/admin/limits_table.h"

namespace acta {

// Who a connection comes from, as it is counted: the address, the same one whether it came through
// an IPv4 or an IPv6 listener; empty for this machine, whose connections count in the total only.
std::string HostOf(const asio::ip::address& address);

// Whether one more connection is taken from `host`, which has `from_host` of the `open` ones.
// Errors: LIMIT_EXCEEDED.
absl::Status CheckConnection(const ConnectionLimits& limits, const std::string& host, int64_t open,
                             int64_t from_host);

}  // namespace acta
