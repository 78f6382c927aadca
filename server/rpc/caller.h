#pragma once

#include "server/core/access/authorizer.h"
#include "server/rpc/method_table.h"

namespace grpc {
class ServerContextBase;
}

namespace acta {

// A unary call without a deadline gets this long; streams have none.
inline constexpr absl::Duration kDefaultUnaryDeadline = absl::Seconds(30);

// Who makes the call: the one place where a Caller of the edge is made.
Caller MakeCaller(const grpc::ServerContextBase& context, const Method& method);

}  // namespace acta
