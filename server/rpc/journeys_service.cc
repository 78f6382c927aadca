#include "server/rpc/journeys_service.h"

#include "server/rpc/cold_call.h"

namespace acta {

grpc::Status JourneysService::GetJourney(grpc::ServerContext* context,
                                         const v1::GetJourneyRequest* request,
                                         v1::GetJourneyResponse* response) {
  return RunCold(edge_, "/acta.v1.Journeys/GetJourney", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.journeys.Get(caller, *request); });
}

grpc::Status JourneysService::AskQuestions(grpc::ServerContext* context,
                                           const v1::AskQuestionsRequest* request,
                                           v1::AskQuestionsResponse* response) {
  return RunCold(edge_, "/acta.v1.Journeys/AskQuestions", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.journeys.Ask(caller, *request); });
}

}  // namespace acta
