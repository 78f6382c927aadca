#include "server/otlp/otlp_target.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "proto/support/error.h"

namespace acta {

absl::StatusOr<OtlpTarget> ParseOtlpEndpoint(absl::string_view endpoint) {
  OtlpTarget target;
  absl::string_view address = endpoint;
  target.encrypted = absl::ConsumePrefix(&address, "https://");
  const bool schemed = target.encrypted || absl::ConsumePrefix(&address, "http://");
  absl::ConsumeSuffix(&address, "/");
  const size_t colon = address.rfind(':');
  const bool good = schemed && colon != absl::string_view::npos && colon > 0 &&
                    colon + 1 < address.size() && !absl::StrContains(address, '/');
  if (!good) {
    return Error(v1::INVALID_ARGUMENT,
                 absl::StrCat("'", endpoint,
                              "' is no endpoint of a collector; use http://HOST:PORT or "
                              "https://HOST:PORT, as http://127.0.0.1:4317"));
  }
  target.address = std::string(address);
  return target;
}

}  // namespace acta
