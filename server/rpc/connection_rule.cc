#include "server/rpc/connection_rule.h"

#include "absl/strings/str_cat.h"
#include "proto/support/limit_error.h"

namespace acta {

std::string HostOf(const asio::ip::address& address) {
  asio::ip::address host = address;
  if (host.is_v6() && host.to_v6().is_v4_mapped()) {
    host = asio::ip::make_address_v4(asio::ip::v4_mapped, host.to_v6());
  }
  return host.is_loopback() ? std::string() : host.to_string();
}

absl::Status CheckConnection(const ConnectionLimits& limits, const std::string& host, int64_t open,
                             int64_t from_host) {
  if (open >= limits.max_connections) {
    return LimitExceeded("connections:", open + 1, "listen.max_connections",
                         limits.max_connections);
  }
  if (host.empty() || from_host < limits.max_connections_per_address) return absl::OkStatus();
  return LimitExceeded(absl::StrCat("connections from '", host, "':"), from_host + 1,
                       "listen.max_connections_per_address", limits.max_connections_per_address);
}

}  // namespace acta
