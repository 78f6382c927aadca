#pragma once

#include "acta/v1/schedules.grpc.pb.h"
#include "server/rpc/edge.h"

namespace acta {

// acta.v1.Schedules on core's schedules.
//
// Threads:   those of gRPC's synchronous server; they wait for the disk.
// Ownership: borrows the edge.
class SchedulesService final : public v1::Schedules::Service {
 public:
  explicit SchedulesService(const Edge& edge) : edge_(edge) {}

  grpc::Status ListSchedules(grpc::ServerContext* context, const v1::ListSchedulesRequest* request,
                             v1::ListSchedulesResponse* response) override;
  grpc::Status GetSchedule(grpc::ServerContext* context, const v1::GetScheduleRequest* request,
                           v1::GetScheduleResponse* response) override;
  grpc::Status MoveSchedule(grpc::ServerContext* context, const v1::MoveScheduleRequest* request,
                            v1::MoveScheduleResponse* response) override;
  grpc::Status CancelSchedule(grpc::ServerContext* context,
                              const v1::CancelScheduleRequest* request,
                              v1::CancelScheduleResponse* response) override;

 private:
  const Edge& edge_;
};

}  // namespace acta
