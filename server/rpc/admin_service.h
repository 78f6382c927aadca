#pragma once

#include "acta/v1/admin.grpc.pb.h"
#include "server/rpc/edge.h"

namespace acta {

// acta.v1.Admin on what AdminCalls names.
//
// Threads:   those of gRPC's synchronous server; they wait for the disk.
// Ownership: borrows the edge.
class AdminService final : public v1::Admin::Service {
 public:
  explicit AdminService(const Edge& edge) : edge_(edge) {}

  grpc::Status GetServer(grpc::ServerContext* context, const v1::GetServerRequest* request,
                         v1::GetServerResponse* response) override;
  grpc::Status GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest* request,
                         v1::GetStatusResponse* response) override;
  grpc::Status GetConfig(grpc::ServerContext* context, const v1::GetConfigRequest* request,
                         v1::GetConfigResponse* response) override;
  grpc::Status GetLimits(grpc::ServerContext* context, const v1::GetLimitsRequest* request,
                         v1::GetLimitsResponse* response) override;
  grpc::Status Scrub(grpc::ServerContext* context, const v1::ScrubRequest* request,
                     v1::ScrubResponse* response) override;
  grpc::Status AcceptClock(grpc::ServerContext* context, const v1::AcceptClockRequest* request,
                           v1::AcceptClockResponse* response) override;
  grpc::Status SetLogLevel(grpc::ServerContext* context, const v1::SetLogLevelRequest* request,
                           v1::SetLogLevelResponse* response) override;
  grpc::Status StartBackup(grpc::ServerContext* context, const v1::StartBackupRequest* request,
                           v1::StartBackupResponse* response) override;
  grpc::Status ListBackups(grpc::ServerContext* context, const v1::ListBackupsRequest* request,
                           v1::ListBackupsResponse* response) override;
  grpc::Status StopBackup(grpc::ServerContext* context, const v1::StopBackupRequest* request,
                          v1::StopBackupResponse* response) override;
  grpc::Status DeleteBackup(grpc::ServerContext* context, const v1::DeleteBackupRequest* request,
                            v1::DeleteBackupResponse* response) override;

 private:
  const Edge& edge_;
};

}  // namespace acta
