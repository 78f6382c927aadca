#include "server/rpc/edge.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "server/rpc/caller.h"
#include "server/rpc/grpc_status.h"
#include "storage/base/handover.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

// Health tells of the stop itself, so it is answered until the end.
bool AnsweredWhileStopping(absl::string_view method) {
  return method.substr(0, 16) == "/grpc.health.v1.";
}

}  // namespace

absl::StatusOr<Caller> Edge::Admit(absl::string_view name, const grpc::ServerContextBase& context,
                                   const google::protobuf::Message* request) const {
  TakeOver(this);  // Behind the first accepted connection.
  const Method* method = FindMethod(name);
  if (method == nullptr || (method->naming == Naming::kField && request == nullptr)) {
    return absl::InternalError(absl::StrCat("method '", name, "' is not in the table"));
  }
  if (stopping() && !AnsweredWhileStopping(name)) return ServerStopping();
  Caller caller = MakeCaller(context, *method);
  RETURN_IF_ERROR(CheckDeadline(caller));
  if (method->naming == Naming::kInFrames) return caller;
  const std::string resource = request == nullptr ? "" : ResourceName(*method, *request);
  RETURN_IF_ERROR(
      deps.authorizer.Authorize(caller, method->verb, Resource{method->kind, resource}));
  return caller;
}

grpc::Status Edge::EndOf(const absl::Status& status) const {
  if (!status.ok()) deps.rejections.Count(ReasonOf(status));
  return ToGrpcStatus(status);
}

void Edge::CountRejections(const v1::FrameResult& result) const {
  if (result.has_error()) deps.rejections.Count(result.error().reason());
  for (const v1::BatchResult& batch : result.batches()) {
    if (batch.has_error()) deps.rejections.Count(batch.error().reason());
  }
}

void Edge::SetServing(bool serving) {
  serving_.store(serving, std::memory_order_release);
  TellStreams();
}

void Edge::SetStopping() {
  serving_.store(false, std::memory_order_release);
  stopping_.store(true, std::memory_order_release);
  TellStreams();
}

void Edge::LookAtLog() {
  const bool stalled = deps.publish.engine.UnderWay().write >= kLogStalls;
  if (stalled_.exchange(stalled, std::memory_order_acq_rel) != stalled) TellStreams();
}

void Edge::Add(OpenStream* stream, std::weak_ptr<OpenStream> weak) {
  MutexLock lock(mu_);
  streams_.emplace(stream, std::move(weak));
}

void Edge::Remove(OpenStream* stream) {
  MutexLock lock(mu_);
  streams_.erase(stream);
}

void Edge::TellStreams() {
  std::vector<std::shared_ptr<OpenStream>> open;
  {
    MutexLock lock(mu_);
    for (const auto& [stream, weak] : streams_) {
      if (auto held = weak.lock()) open.push_back(std::move(held));
    }
  }
  for (const auto& stream : open) stream->OnServerChange();
}

void Edge::BeginCall() {
  MutexLock lock(mu_);
  ++live_calls_;
}

void Edge::EndCall() {
  // Under the lock to the end: the edge may go as soon as a waiter sees 0.
  MutexLock lock(mu_);
  if (--live_calls_ == 0) calls_ended_.SignalAll();
}

void Edge::WaitForCalls() {
  MutexLock lock(mu_);
  while (live_calls_ != 0) calls_ended_.Wait(mu_);
}

absl::Status ColdCall::Check(absl::string_view method) const {
  const int32_t most = edge_.deps.limits.max_cold_calls;
  if (calls_ <= most || absl::StartsWith(method, "/acta.v1.Admin/")) return absl::OkStatus();
  return LimitError{v1::CALL_QUEUE_FULL, "calls that wait at once:",  static_cast<uint64_t>(calls_),
                    "max_cold_calls",    static_cast<uint64_t>(most), "try again a moment later"}
      .Make();
}

}  // namespace acta
