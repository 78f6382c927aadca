#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/rpc/edge.h"
#include "storage/base/slow_log.h"

namespace acta {

// One method of a synchronous service: admits the call, lets `run` do it in core, translates how
// it ended. `run(caller)` gives a Response or an error.
template <typename Request, typename Response, typename Run>
grpc::Status RunCold(const Edge& edge, absl::string_view method, const grpc::ServerContext& context,
                     const Request& request, Response* response, Run run) {
  const ColdCall call(edge);
  absl::StatusOr<Caller> caller = edge.Admit(method, context, &request);
  if (!caller.ok()) return edge.EndOf(caller.status());
  caller->stopping = edge.stop_flag();
  const absl::Status room = call.Check(method);
  if (!room.ok()) return edge.EndOf(room);
  const SlowTimer timer(SlowOperation::kCall, "method", method);
  absl::StatusOr<Response> done = run(*caller);
  if (!done.ok()) return edge.EndOf(done.status());
  *response = *std::move(done);
  return grpc::Status::OK;
}

}  // namespace acta
