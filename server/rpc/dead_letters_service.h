#pragma once

#include "acta/v1/dead_letters.grpc.pb.h"
#include "server/rpc/edge.h"

namespace acta {

// acta.v1.DeadLetters on the group registry.
//
// Threads:   those of gRPC's synchronous server; they wait for the disk.
// Ownership: borrows the edge.
class DeadLettersService final : public v1::DeadLetters::Service {
 public:
  explicit DeadLettersService(const Edge& edge) : edge_(edge) {}

  grpc::Status ListDeadLetters(grpc::ServerContext* context,
                               const v1::ListDeadLettersRequest* request,
                               v1::ListDeadLettersResponse* response) override;
  grpc::Status GetDeadLetter(grpc::ServerContext* context, const v1::GetDeadLetterRequest* request,
                             v1::GetDeadLetterResponse* response) override;
  grpc::Status SummarizeDeadLetters(grpc::ServerContext* context,
                                    const v1::SummarizeDeadLettersRequest* request,
                                    v1::SummarizeDeadLettersResponse* response) override;
  grpc::Status RedriveDeadLetters(grpc::ServerContext* context,
                                  const v1::RedriveDeadLettersRequest* request,
                                  v1::RedriveDeadLettersResponse* response) override;
  grpc::Status StartRedrive(grpc::ServerContext* context, const v1::StartRedriveRequest* request,
                            v1::StartRedriveResponse* response) override;
  grpc::Status ListRedrives(grpc::ServerContext* context, const v1::ListRedrivesRequest* request,
                            v1::ListRedrivesResponse* response) override;
  grpc::Status CancelRedrive(grpc::ServerContext* context, const v1::CancelRedriveRequest* request,
                             v1::CancelRedriveResponse* response) override;
  grpc::Status EditDeadLetter(grpc::ServerContext* context,
                              const v1::EditDeadLetterRequest* request,
                              v1::EditDeadLetterResponse* response) override;
  grpc::Status DiscardDeadLetters(grpc::ServerContext* context,
                                  const v1::DiscardDeadLettersRequest* request,
                                  v1::DiscardDeadLettersResponse* response) override;

 private:
  const Edge& edge_;
};

}  // namespace acta
