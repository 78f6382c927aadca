#include "server/rpc/unary_methods.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/core/access/names.h"
#include "server/core/publish/publish_session.h"
#include "server/rpc/byte_buffers.h"
#include "server/rpc/health_watch.h"

namespace acta {
namespace {

absl::Status Malformed(absl::string_view method) {
  return Error(v1::MALFORMED_MESSAGE,
               absl::StrCat("the request of '", method, "' is not a message of its type"));
}

void AnswerPublish(UnaryCall& call, v1::FrameResult result) {
  if (result.has_error()) {
    call.Answer(FromProto(result.error()));
    return;
  }
  call.edge().CountRejections(result);
  v1::PublishResults results;
  *results.add_results() = std::move(result);
  call.Answer(ToByteBuffer(results));
}

void TakePublish(const std::shared_ptr<UnaryCall>& call, PublishSession& session) {
  const absl::Status taken = session.Take([weak = std::weak_ptr(call)](v1::FrameResult result) {
    if (const auto held = weak.lock()) AnswerPublish(*held, std::move(result));
  });
  if (!taken.ok()) call->Answer(taken);
}

absl::Status TooManyWaiting(int64_t limit) {
  return Error(v1::PUBLISH_QUEUE_FULL,
               absl::StrCat("limit max_waiting_publish_bytes (", limit,
                            " bytes) is reached by publishes whose cause is looked for; retry "
                            "after the delay"),
               {{"limit", "max_waiting_publish_bytes"}, {"limit_value", absl::StrCat(limit)}});
}

// What caused it may have to be read.
void PublishOnPool(const std::shared_ptr<UnaryCall>& call, const Caller& caller,
                   std::shared_ptr<PublishSession> session) {
  const auto bytes = static_cast<int64_t>(call->request().Length());
  std::optional<WaitingPublishes::Lease> lease = call->edge().waiting_publishes->Take(bytes);
  if (!lease.has_value()) {
    return call->Answer(TooManyWaiting(call->edge().deps.limits.max_waiting_publish_bytes));
  }
  call->edge().deps.pool.Post(
      [call, caller, session = std::move(session), lease = *std::move(lease)]() mutable {
        lease.End();
        const absl::Status in_time = CheckDeadline(caller);
        if (!in_time.ok()) return call->Answer(in_time);
        TakePublish(call, *session);
      });
}

void RunPublish(const std::shared_ptr<UnaryCall>& call) {
  absl::StatusOr<Caller> caller = call->edge().Admit(call->method(), call->context(), nullptr);
  if (!caller.ok()) return call->Answer(caller.status());
  auto session = std::make_shared<PublishSession>(call->edge().deps.publish, *caller,
                                                  /*stream=*/false);
  const absl::Status begun = session->Begin(ToSharedBytes(call->request()));
  if (!begun.ok()) return call->Answer(begun);
  if (!session->MayBlock()) return TakePublish(call, *session);
  PublishOnPool(call, *caller, std::move(session));
}

void RunFetch(const std::shared_ptr<UnaryCall>& call) {
  v1::FetchRequest request;
  if (!ParseByteBuffer(call->request(), &request)) return call->Answer(Malformed(call->method()));
  const absl::StatusOr<Caller> caller =
      call->edge().Admit(call->method(), call->context(), &request);
  if (!caller.ok()) return call->Answer(caller.status());
  call->AtEnd(call->edge().deps.subscribe.fetch(
      *caller, request, [weak = std::weak_ptr(call)](absl::StatusOr<FetchedPage> page) {
        const auto held = weak.lock();
        if (held == nullptr) return;
        if (!page.ok()) return held->Answer(page.status());
        held->AnswerPage(EncodeFetched(page->header, page->batches), std::move(page->lease));
      }));
}

void RunSettle(const std::shared_ptr<UnaryCall>& call) {
  v1::SettleRequest request;
  if (!ParseByteBuffer(call->request(), &request)) return call->Answer(Malformed(call->method()));
  const absl::StatusOr<Caller> caller =
      call->edge().Admit(call->method(), call->context(), &request);
  if (!caller.ok()) return call->Answer(caller.status());
  call->edge().deps.subscribe.settle(
      *caller, std::move(request),
      [weak = std::weak_ptr(call)](absl::StatusOr<v1::SettleResponse> response) {
        const auto held = weak.lock();
        if (held == nullptr) return;
        if (!response.ok()) return held->Answer(response.status());
        held->Answer(ToByteBuffer(*response));
      });
}

void RunHealthCheck(const std::shared_ptr<UnaryCall>& call) {
  grpc::health::v1::HealthCheckRequest request;
  if (!ParseByteBuffer(call->request(), &request)) return call->Answer(Malformed(call->method()));
  const absl::StatusOr<Caller> caller =
      call->edge().Admit(call->method(), call->context(), nullptr);
  if (!caller.ok()) return call->Answer(caller.status());
  grpc::health::v1::HealthCheckResponse response;
  response.set_status(HealthOf(call->edge(), request.service()));
  if (response.status() == grpc::health::v1::HealthCheckResponse::SERVICE_UNKNOWN) {
    // As the protocol has it; no reason of ours is for a service.
    return call->Fail(
        grpc::Status(grpc::StatusCode::NOT_FOUND,
                     absl::StrCat("no service '", ShownName(request.service()), "'")));
  }
  call->Answer(ToByteBuffer(response));
}

}  // namespace

UnaryMethod PublishMethod(RawPublisher& service) {
  return {"/acta.v1.Publisher/Publish",
          [&service](auto* context, auto* request, auto* responder, auto* queue, void* tag) {
            service.RequestPublish(context, request, responder, queue, queue, tag);
          },
          RunPublish};
}

UnaryMethod FetchMethod(RawSubscriber& service) {
  return {"/acta.v1.Subscriber/Fetch",
          [&service](auto* context, auto* request, auto* responder, auto* queue, void* tag) {
            service.RequestFetch(context, request, responder, queue, queue, tag);
          },
          RunFetch};
}

UnaryMethod SettleMethod(RawSubscriber& service) {
  return {"/acta.v1.Subscriber/Settle",
          [&service](auto* context, auto* request, auto* responder, auto* queue, void* tag) {
            service.RequestSettle(context, request, responder, queue, queue, tag);
          },
          RunSettle};
}

UnaryMethod HealthCheckMethod(AsyncHealth& service) {
  return {"/grpc.health.v1.Health/Check",
          [&service](auto* context, auto* request, auto* responder, auto* queue, void* tag) {
            service.RequestCheck(context, request, responder, queue, queue, tag);
          },
          RunHealthCheck,
          /*any_thread=*/true};
}

}  // namespace acta
