#pragma once

#include "acta/v1/journeys.grpc.pb.h"
#include "server/rpc/edge.h"

namespace acta {

// acta.v1.Journeys on core's journeys.
//
// Threads:   those of gRPC's synchronous server; they wait for the disk.
// Ownership: borrows the edge.
class JourneysService final : public v1::Journeys::Service {
 public:
  explicit JourneysService(const Edge& edge) : edge_(edge) {}

  grpc::Status GetJourney(grpc::ServerContext* context, const v1::GetJourneyRequest* request,
                          v1::GetJourneyResponse* response) override;
  grpc::Status AskQuestions(grpc::ServerContext* context, const v1::AskQuestionsRequest* request,
                            v1::AskQuestionsResponse* response) override;

 private:
  const Edge& edge_;
};

}  // namespace acta
