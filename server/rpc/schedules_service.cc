#include "server/rpc/schedules_service.h"

#include "server/rpc/cold_call.h"

namespace acta {

grpc::Status SchedulesService::ListSchedules(grpc::ServerContext* context,
                                             const v1::ListSchedulesRequest* request,
                                             v1::ListSchedulesResponse* response) {
  return RunCold(edge_, "/acta.v1.Schedules/ListSchedules", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.schedules.List(caller, *request); });
}

grpc::Status SchedulesService::GetSchedule(grpc::ServerContext* context,
                                           const v1::GetScheduleRequest* request,
                                           v1::GetScheduleResponse* response) {
  return RunCold(edge_, "/acta.v1.Schedules/GetSchedule", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.schedules.Get(caller, *request); });
}

grpc::Status SchedulesService::MoveSchedule(grpc::ServerContext* context,
                                            const v1::MoveScheduleRequest* request,
                                            v1::MoveScheduleResponse* response) {
  return RunCold(edge_, "/acta.v1.Schedules/MoveSchedule", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.schedules.Move(caller, *request); });
}

grpc::Status SchedulesService::CancelSchedule(grpc::ServerContext* context,
                                              const v1::CancelScheduleRequest* request,
                                              v1::CancelScheduleResponse* response) {
  return RunCold(
      edge_, "/acta.v1.Schedules/CancelSchedule", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.schedules.Cancel(caller, *request); });
}

}  // namespace acta
