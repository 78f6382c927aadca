#include "server/app/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace acta {
namespace {

bool IsIpv6(const std::string& host) { return host.find(':') != std::string::npos; }

// False when `host` is no IP address.
bool LookAtHost(const std::string& host, bool* loopback) {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    *loopback = ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    return true;
  }
  in6_addr v6{};
  if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return false;
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6);
  *loopback = IN6_IS_ADDR_LOOPBACK(&v6) || (mapped && v6.s6_addr[12] == IN_LOOPBACKNET);
  return true;
}

}  // namespace

std::string ListenAddress::Text() const {
  return IsIpv6(host) ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text) {
  const size_t colon = text.rfind(':');
  ListenAddress address;
  uint32_t port = 0;
  bool good = colon != absl::string_view::npos && absl::SimpleAtoi(text.substr(colon + 1), &port) &&
              port <= UINT16_MAX;
  if (good) {
    absl::string_view host = text.substr(0, colon);
    const bool brackets = host.size() > 1 && host.front() == '[' && host.back() == ']';
    if (brackets) host = host.substr(1, host.size() - 2);
    address.host = host == "localhost" ? "127.0.0.1" : std::string(host);
    address.port = static_cast<uint16_t>(port);
    good = IsIpv6(address.host) == brackets && LookAtHost(address.host, &address.loopback);
  }
  if (!good) {
    return Error(v1::INVALID_ARGUMENT,
                 absl::StrCat("'", text, "' is not an address to listen on; write an IP address ",
                              "and a port, as in 127.0.0.1:7450, [::1]:7450 or 0.0.0.0:7450"));
  }
  return address;
}

}  // namespace acta
