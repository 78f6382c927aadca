#include "server/rpc/caller.h"

#include <grpcpp/server_context.h>

#include <string>

#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "storage/base/clock.h"

namespace acta {
namespace {

// gRPC says "ipv4:127.0.0.1:4711" and "ipv6:%5B::1%5D:4711".
std::string PeerOf(const std::string& grpc_peer) {
  absl::string_view address = grpc_peer;
  if (!absl::ConsumePrefix(&address, "ipv4:")) absl::ConsumePrefix(&address, "ipv6:");
  return absl::StrReplaceAll(address, {{"%5B", "["}, {"%5D", "]"}});
}

absl::Duration DeadlineOf(const grpc::ServerContextBase& context, const Method& method) {
  const absl::Duration given = TimeOfDeadline(context.raw_deadline());
  if (given != absl::InfiniteDuration() || method.streaming) return given;
  return SystemClock().SinceBoot() + kDefaultUnaryDeadline;
}

}  // namespace

absl::Duration TimeOfDeadline(gpr_timespec deadline) {
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) {
    return absl::InfiniteDuration();
  }
  const gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
  return SystemClock().SinceBoot() + absl::Seconds(left.tv_sec) + absl::Nanoseconds(left.tv_nsec);
}

Caller MakeCaller(const grpc::ServerContextBase& context, const Method& method) {
  Caller caller;
  caller.principal = "anonymous";  // Every listener lets everybody in; none authenticates.
  caller.peer = PeerOf(context.peer());
  caller.deadline = DeadlineOf(context, method);
  return caller;
}

}  // namespace acta
