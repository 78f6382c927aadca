#include "server/rpc/dead_letters_service.h"

#include "server/rpc/cold_call.h"

namespace acta {

grpc::Status DeadLettersService::ListDeadLetters(grpc::ServerContext* context,
                                                 const v1::ListDeadLettersRequest* request,
                                                 v1::ListDeadLettersResponse* response) {
  return RunCold(
      edge_, "/acta.v1.DeadLetters/ListDeadLetters", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.groups.ListDeadLetters(caller, *request); });
}

grpc::Status DeadLettersService::GetDeadLetter(grpc::ServerContext* context,
                                               const v1::GetDeadLetterRequest* request,
                                               v1::GetDeadLetterResponse* response) {
  return RunCold(
      edge_, "/acta.v1.DeadLetters/GetDeadLetter", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.groups.GetDeadLetter(caller, *request); });
}

grpc::Status DeadLettersService::SummarizeDeadLetters(
    grpc::ServerContext* context, const v1::SummarizeDeadLettersRequest* request,
    v1::SummarizeDeadLettersResponse* response) {
  return RunCold(edge_, "/acta.v1.DeadLetters/SummarizeDeadLetters", *context, *request, response,
                 [&](const Caller& caller) {
                   return edge_.deps.groups.SummarizeDeadLetters(caller, *request);
                 });
}

grpc::Status DeadLettersService::RedriveDeadLetters(grpc::ServerContext* context,
                                                    const v1::RedriveDeadLettersRequest* request,
                                                    v1::RedriveDeadLettersResponse* response) {
  return RunCold(
      edge_, "/acta.v1.DeadLetters/RedriveDeadLetters", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.groups.RedriveDeadLetters(caller, *request); });
}

grpc::Status DeadLettersService::StartRedrive(grpc::ServerContext* context,
                                              const v1::StartRedriveRequest* request,
                                              v1::StartRedriveResponse* response) {
  return RunCold(
      edge_, "/acta.v1.DeadLetters/StartRedrive", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.groups.StartRedrive(caller, *request); });
}

grpc::Status DeadLettersService::ListRedrives(grpc::ServerContext* context,
                                              const v1::ListRedrivesRequest* request,
                                              v1::ListRedrivesResponse* response) {
  return RunCold(
      edge_, "/acta.v1.DeadLetters/ListRedrives", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.groups.ListRedrives(caller, *request); });
}

grpc::Status DeadLettersService::CancelRedrive(grpc::ServerContext* context,
                                               const v1::CancelRedriveRequest* request,
                                               v1::CancelRedriveResponse* response) {
  return RunCold(
      edge_, "/acta.v1.DeadLetters/CancelRedrive", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.groups.CancelRedrive(caller, *request); });
}

grpc::Status DeadLettersService::EditDeadLetter(grpc::ServerContext* context,
                                                const v1::EditDeadLetterRequest* request,
                                                v1::EditDeadLetterResponse* response) {
  return RunCold(edge_, "/acta.v1.DeadLetters/EditDeadLetter", *context, *request, response,
                 [&](const Caller& caller) {
                   return edge_.deps.subscribe.edit_dead_letter(caller, *request);
                 });
}

grpc::Status DeadLettersService::DiscardDeadLetters(grpc::ServerContext* context,
                                                    const v1::DiscardDeadLettersRequest* request,
                                                    v1::DiscardDeadLettersResponse* response) {
  return RunCold(
      edge_, "/acta.v1.DeadLetters/DiscardDeadLetters", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.groups.DiscardDeadLetters(caller, *request); });
}

}  // namespace acta
