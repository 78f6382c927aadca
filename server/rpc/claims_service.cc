#include "server/rpc/claims_service.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "proto/support/limit_error.h"
#include "server/rpc/cold_call.h"

namespace acta {

template <typename Request, typename Response, typename Run>
grpc::Status ClaimsService::RunClaim(absl::string_view method, const grpc::ServerContext& context,
                                     const Request& request, Response* response, Run run) {
  const int32_t most = edge_.deps.limits.max_claim_calls;
  const int32_t calls = calls_.fetch_add(1, std::memory_order_relaxed) + 1;
  const auto done = absl::MakeCleanup([this] { calls_.fetch_sub(1, std::memory_order_relaxed); });
  if (calls > most) {
    return edge_.EndOf(
        LimitError{v1::CLAIM_QUEUE_FULL, "calls of Claims at once:", static_cast<uint64_t>(calls),
                   "max_claim_calls", static_cast<uint64_t>(most), "try again a moment later"}
            .Make());
  }
  return RunCold(edge_, method, context, request, response, std::move(run));
}

grpc::Status ClaimsService::Claim(grpc::ServerContext* context, const v1::ClaimRequest* request,
                                  v1::ClaimResponse* response) {
  return RunClaim("/acta.v1.Claims/Claim", *context, *request, response,
                  [&](const Caller& caller) { return edge_.deps.claims.Claim(caller, *request); });
}

grpc::Status ClaimsService::CompleteClaim(grpc::ServerContext* context,
                                          const v1::CompleteClaimRequest* request,
                                          v1::CompleteClaimResponse* response) {
  return RunClaim(
      "/acta.v1.Claims/CompleteClaim", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.claims.Complete(caller, *request); });
}

grpc::Status ClaimsService::ReleaseClaim(grpc::ServerContext* context,
                                         const v1::ReleaseClaimRequest* request,
                                         v1::ReleaseClaimResponse* response) {
  return RunClaim(
      "/acta.v1.Claims/ReleaseClaim", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.claims.Release(caller, *request); });
}

grpc::Status ClaimsService::GetClaim(grpc::ServerContext* context,
                                     const v1::GetClaimRequest* request,
                                     v1::GetClaimResponse* response) {
  return RunClaim("/acta.v1.Claims/GetClaim", *context, *request, response,
                  [&](const Caller& caller) { return edge_.deps.claims.Get(caller, *request); });
}

grpc::Status ClaimsService::ListClaims(grpc::ServerContext* context,
                                       const v1::ListClaimsRequest* request,
                                       v1::ListClaimsResponse* response) {
  return RunClaim("/acta.v1.Claims/ListClaims", *context, *request, response,
                  [&](const Caller& caller) { return edge_.deps.claims.List(caller, *request); });
}

}  // namespace acta
