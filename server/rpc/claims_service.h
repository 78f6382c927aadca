#pragma once

#include <atomic>

#include "acta/v1/claims.grpc.pb.h"
#include "server/rpc/edge.h"

namespace acta {

// acta.v1.Claims on the claim registry.
//
// Threads:   those of gRPC's synchronous server; they wait for the disk. As many at once as
//            RpcLimits::max_claim_calls.
// Ownership: borrows the edge.
// Errors:    CLAIM_QUEUE_FULL.
class ClaimsService final : public v1::Claims::Service {
 public:
  explicit ClaimsService(const Edge& edge) : edge_(edge) {}

  grpc::Status Claim(grpc::ServerContext* context, const v1::ClaimRequest* request,
                     v1::ClaimResponse* response) override;
  grpc::Status CompleteClaim(grpc::ServerContext* context, const v1::CompleteClaimRequest* request,
                             v1::CompleteClaimResponse* response) override;
  grpc::Status ReleaseClaim(grpc::ServerContext* context, const v1::ReleaseClaimRequest* request,
                            v1::ReleaseClaimResponse* response) override;
  grpc::Status GetClaim(grpc::ServerContext* context, const v1::GetClaimRequest* request,
                        v1::GetClaimResponse* response) override;
  grpc::Status ListClaims(grpc::ServerContext* context, const v1::ListClaimsRequest* request,
                          v1::ListClaimsResponse* response) override;

 private:
  template <typename Request, typename Response, typename Run>
  grpc::Status RunClaim(absl::string_view method, const grpc::ServerContext& context,
                        const Request& request, Response* response, Run run);

  const Edge& edge_;
  std::atomic<int32_t> calls_{0};
};

}  // namespace acta
