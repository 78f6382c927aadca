#pragma once

#include <grpc/support/time.h>

#include "absl/time/time.h"
#include "server/core/access/authorizer.h"
#include "server/rpc/method_table.h"

namespace grpc {
class ServerContextBase;
}

namespace acta {

// A unary call without a deadline gets this long; streams have none.
inline constexpr absl::Duration kDefaultUnaryDeadline = absl::Seconds(30);

// A deadline as gRPC keeps it, since boot; also one so far ahead that system_clock has no time for
// it: clients that want none say 292 years. InfiniteDuration(): there is none.
absl::Duration TimeOfDeadline(gpr_timespec deadline);

// Who makes the call: the one place where a Caller of the edge is made.
Caller MakeCaller(const grpc::ServerContextBase& context, const Method& method);

}  // namespace acta
