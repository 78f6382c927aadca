#include "tools/acta/syntax/address.h"

#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

// Of a port that is too large gRPC takes the rest, and finds another program.
bool IsPort(absl::string_view text) {
  uint32_t port = 0;
  return absl::SimpleAtoi(text, &port) && port >= 1 && port <= 65'535;
}

}  // namespace

absl::Status CheckAddress(absl::string_view text) {
  const size_t colon = text.rfind(':');
  // An IPv6 address has colons of its own.
  const bool has_port =
      colon != absl::string_view::npos && (text.find(':') == colon || text[colon - 1] == ']');
  const bool has_host = !text.substr(0, has_port ? colon : text.size()).empty();
  const bool other = text.find_first_of("/@ \t\r\n") != absl::string_view::npos;  // A URL.
  if (has_host && !other && (!has_port || IsPort(text.substr(colon + 1)))) return absl::OkStatus();
  return UsageError(absl::StrCat("'", text, "' is no address of a broker; write HOST:PORT, as in ",
                                 "broker.example.com:7450"));
}

}  // namespace acta::cli
