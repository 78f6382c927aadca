#include "server/rpc/groups_service.h"

#include "server/rpc/cold_call.h"

namespace acta {

grpc::Status GroupsService::CreateGroup(grpc::ServerContext* context,
                                        const v1::CreateGroupRequest* request,
                                        v1::CreateGroupResponse* response) {
  return RunCold(edge_, "/acta.v1.Groups/CreateGroup", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.groups.Create(caller, *request); });
}

grpc::Status GroupsService::GetGroup(grpc::ServerContext* context,
                                     const v1::GetGroupRequest* request,
                                     v1::GetGroupResponse* response) {
  return RunCold(edge_, "/acta.v1.Groups/GetGroup", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.groups.Get(caller, *request); });
}

grpc::Status GroupsService::ListGroups(grpc::ServerContext* context,
                                       const v1::ListGroupsRequest* request,
                                       v1::ListGroupsResponse* response) {
  return RunCold(edge_, "/acta.v1.Groups/ListGroups", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.groups.List(caller, *request); });
}

grpc::Status GroupsService::UpdateGroup(grpc::ServerContext* context,
                                        const v1::UpdateGroupRequest* request,
                                        v1::UpdateGroupResponse* response) {
  return RunCold(edge_, "/acta.v1.Groups/UpdateGroup", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.groups.Update(caller, *request); });
}

grpc::Status GroupsService::DeleteGroup(grpc::ServerContext* context,
                                        const v1::DeleteGroupRequest* request,
                                        v1::DeleteGroupResponse* response) {
  return RunCold(edge_, "/acta.v1.Groups/DeleteGroup", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.groups.Delete(caller, *request); });
}

grpc::Status GroupsService::GetLag(grpc::ServerContext* context, const v1::GetLagRequest* request,
                                   v1::GetLagResponse* response) {
  return RunCold(edge_, "/acta.v1.Groups/GetLag", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.groups.GetLag(caller, *request); });
}

grpc::Status GroupsService::MeasureGroups(grpc::ServerContext* context,
                                          const v1::MeasureGroupsRequest* request,
                                          v1::MeasureGroupsResponse* response) {
  return RunCold(edge_, "/acta.v1.Groups/MeasureGroups", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.groups.Measure(caller, *request); });
}

grpc::Status GroupsService::CommitOffsets(grpc::ServerContext* context,
                                          const v1::CommitOffsetsRequest* request,
                                          v1::CommitOffsetsResponse* response) {
  return RunCold(
      edge_, "/acta.v1.Groups/CommitOffsets", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.groups.CommitOffsets(caller, *request); });
}

grpc::Status GroupsService::ResetOffsets(grpc::ServerContext* context,
                                         const v1::ResetOffsetsRequest* request,
                                         v1::ResetOffsetsResponse* response) {
  return RunCold(
      edge_, "/acta.v1.Groups/ResetOffsets", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.groups.ResetOffsets(caller, *request); });
}

grpc::Status GroupsService::PauseGroup(grpc::ServerContext* context,
                                       const v1::PauseGroupRequest* request,
                                       v1::PauseGroupResponse* response) {
  return RunCold(edge_, "/acta.v1.Groups/PauseGroup", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.groups.Pause(caller, *request); });
}

grpc::Status GroupsService::ResumeGroup(grpc::ServerContext* context,
                                        const v1::ResumeGroupRequest* request,
                                        v1::ResumeGroupResponse* response) {
  return RunCold(edge_, "/acta.v1.Groups/ResumeGroup", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.groups.Resume(caller, *request); });
}

grpc::Status GroupsService::ExplainGroup(grpc::ServerContext* context,
                                         const v1::ExplainGroupRequest* request,
                                         v1::ExplainGroupResponse* response) {
  return RunCold(edge_, "/acta.v1.Groups/ExplainGroup", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.groups.Explain(caller, *request); });
}

grpc::Status GroupsService::SkipOffsets(grpc::ServerContext* context,
                                        const v1::SkipOffsetsRequest* request,
                                        v1::SkipOffsetsResponse* response) {
  return RunCold(edge_, "/acta.v1.Groups/SkipOffsets", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.groups.Skip(caller, *request); });
}

grpc::Status GroupsService::ListExpired(grpc::ServerContext* context,
                                        const v1::ListExpiredRequest* request,
                                        v1::ListExpiredResponse* response) {
  return RunCold(
      edge_, "/acta.v1.Groups/ListExpired", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.groups.ListExpired(caller, *request); });
}

}  // namespace acta
