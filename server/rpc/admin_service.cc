#include "server/rpc/admin_service.h"

#include "server/rpc/cold_call.h"

namespace acta {

grpc::Status AdminService::GetServer(grpc::ServerContext* context,
                                     const v1::GetServerRequest* request,
                                     v1::GetServerResponse* response) {
  return RunCold(edge_, "/acta.v1.Admin/GetServer", *context, *request, response,
                 [this](const Caller&) { return edge_.deps.admin.get_server(); });
}

grpc::Status AdminService::GetStatus(grpc::ServerContext* context,
                                     const v1::GetStatusRequest* request,
                                     v1::GetStatusResponse* response) {
  return RunCold(edge_, "/acta.v1.Admin/GetStatus", *context, *request, response,
                 [this](const Caller&) { return edge_.deps.admin.get_status(); });
}

grpc::Status AdminService::GetConfig(grpc::ServerContext* context,
                                     const v1::GetConfigRequest* request,
                                     v1::GetConfigResponse* response) {
  return RunCold(edge_, "/acta.v1.Admin/GetConfig", *context, *request, response,
                 [this](const Caller&) { return edge_.deps.admin.get_config(); });
}

grpc::Status AdminService::GetLimits(grpc::ServerContext* context,
                                     const v1::GetLimitsRequest* request,
                                     v1::GetLimitsResponse* response) {
  return RunCold(edge_, "/acta.v1.Admin/GetLimits", *context, *request, response,
                 [this](const Caller&) { return edge_.deps.admin.get_limits(); });
}

grpc::Status AdminService::Scrub(grpc::ServerContext* context, const v1::ScrubRequest* request,
                                 v1::ScrubResponse* response) {
  return RunCold(edge_, "/acta.v1.Admin/Scrub", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.admin.scrub(caller, *request); });
}

grpc::Status AdminService::AcceptClock(grpc::ServerContext* context,
                                       const v1::AcceptClockRequest* request,
                                       v1::AcceptClockResponse* response) {
  return RunCold(
      edge_, "/acta.v1.Admin/AcceptClock", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.admin.accept_clock(caller, *request); });
}

grpc::Status AdminService::SetLogLevel(grpc::ServerContext* context,
                                       const v1::SetLogLevelRequest* request,
                                       v1::SetLogLevelResponse* response) {
  return RunCold(
      edge_, "/acta.v1.Admin/SetLogLevel", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.admin.set_log_level(caller, *request); });
}

grpc::Status AdminService::StartBackup(grpc::ServerContext* context,
                                       const v1::StartBackupRequest* request,
                                       v1::StartBackupResponse* response) {
  return RunCold(edge_, "/acta.v1.Admin/StartBackup", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.admin.start_backup(caller); });
}

grpc::Status AdminService::ListBackups(grpc::ServerContext* context,
                                       const v1::ListBackupsRequest* request,
                                       v1::ListBackupsResponse* response) {
  return RunCold(edge_, "/acta.v1.Admin/ListBackups", *context, *request, response,
                 [&](const Caller&) { return edge_.deps.admin.list_backups(); });
}

grpc::Status AdminService::StopBackup(grpc::ServerContext* context,
                                      const v1::StopBackupRequest* request,
                                      v1::StopBackupResponse* response) {
  return RunCold(edge_, "/acta.v1.Admin/StopBackup", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.admin.stop_backup(caller); });
}

grpc::Status AdminService::DeleteBackup(grpc::ServerContext* context,
                                        const v1::DeleteBackupRequest* request,
                                        v1::DeleteBackupResponse* response) {
  return RunCold(
      edge_, "/acta.v1.Admin/DeleteBackup", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.admin.delete_backup(caller, *request); });
}

}  // namespace acta
