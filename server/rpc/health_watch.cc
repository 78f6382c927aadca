#include "server/rpc/health_watch.h"

#include <algorithm>
#include <vector>

namespace acta {
namespace {

constexpr absl::string_view kMethod = "/grpc.health.v1.Health/Watch";

}  // namespace

grpc::health::v1::HealthCheckResponse::ServingStatus HealthOf(const Edge& edge,
                                                              const std::string& service) {
  using Response = grpc::health::v1::HealthCheckResponse;
  const std::vector<std::string> names = ServiceNames();
  if (!service.empty() && std::find(names.begin(), names.end(), service) == names.end()) {
    return Response::SERVICE_UNKNOWN;
  }
  return edge.serving() ? Response::SERVING : Response::NOT_SERVING;
}

HealthWatch::HealthWatch(Edge& edge, AsyncHealth& service, grpc::ServerCompletionQueue& queue)
    : live_(edge), edge_(edge), service_(service), queue_(queue) {}

HealthWatch::~HealthWatch() { edge_.Remove(this); }

void HealthWatch::Listen(Edge& edge, AsyncHealth& service, grpc::ServerCompletionQueue& queue) {
  const auto call = std::make_shared<HealthWatch>(edge, service, queue);
  call->context_.AsyncNotifyWhenDone(call->on_done_.Arm(call));
  service.RequestWatch(&call->context_, call->request_.get(), &call->writer_, &queue, &queue,
                       call->on_started_.Arm(call));
}

void HealthWatch::OnStarted(bool ok) {
  if (!ok) {  // The server is shutting down.
    on_done_.Disarm();
    return;
  }
  Listen(edge_, service_, queue_);
  const absl::StatusOr<Caller> caller = edge_.Admit(kMethod, context_, request_.get());
  if (!caller.ok()) {
    writer_.Finish(edge_.EndOf(caller.status()), on_finished_.Arm(shared_from_this()));
    return;
  }
  known_ = HealthOf(edge_, request_->service()) != Response::SERVICE_UNKNOWN;
  request_.reset();
  edge_.Add(this, weak_from_this());
  OnServerChange();
}

void HealthWatch::OnWritten(bool ok) {
  if (!ok) return;  // Broken: the turn stays taken.
  {
    MutexLock lock(mu_);
    turn_ = false;
  }
  OnServerChange();
}

void HealthWatch::OnServerChange() {
  const bool stopping = edge_.stopping();  // Before the health, which it makes NOT_SERVING.
  Response now;
  now.set_status(known_ ? HealthOf(edge_, "") : Response::SERVICE_UNKNOWN);
  bool tell = false;
  {
    MutexLock lock(mu_);
    if (turn_) return;
    tell = now.status() != told_.status();
    if (!tell && !stopping) return;
    turn_ = true;
    told_ = now;
  }
  if (tell) {
    writer_.Write(now, on_written_.Arm(shared_from_this()));
  } else {
    writer_.Finish(edge_.EndOf(ServerStopping()), on_finished_.Arm(shared_from_this()));
  }
}

}  // namespace acta
