#include "server/rpc/grpc_status.h"

#include <atomic>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "storage/base/log.h"

namespace acta {
namespace {

// Unique enough to find one line in the logs of many servers and lives.
std::string NextIncident() {
  static const uint64_t life = [] {
    std::random_device random;
    return uint64_t{random()} << 32 | random();
  }();
  static std::atomic<uint64_t> last{0};
  const uint64_t number = last.fetch_add(1, std::memory_order_relaxed) + 1;
  return absl::StrCat(absl::Hex(life, absl::kZeroPad16), "-", number);
}

absl::Status HideCause(const absl::Status& status) {
  const std::string incident = NextIncident();
  LogError("a call failed for a reason that has no name",
           {{"incident", incident},
            {"code", absl::StatusCodeToString(status.code())},
            {"cause", status.message()}});
  return Error(
      v1::INTERNAL,
      absl::StrCat("internal error; look for incident '", incident, "' in the server's log"),
      {{"incident", incident}});
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status();
  if (ReasonOf(status) == v1::ERROR_REASON_UNSPECIFIED) return ToGrpcStatus(HideCause(status));
  return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()),
                      std::string(status.message()), EncodeStatusDetails(status));
}

}  // namespace acta
