#pragma once

#include "acta/v1/groups.grpc.pb.h"
#include "server/rpc/edge.h"

namespace acta {

// acta.v1.Groups on the group registry.
//
// Threads:   those of gRPC's synchronous server; they wait for the disk.
// Ownership: borrows the edge.
class GroupsService final : public v1::Groups::Service {
 public:
  explicit GroupsService(const Edge& edge) : edge_(edge) {}

  grpc::Status CreateGroup(grpc::ServerContext* context, const v1::CreateGroupRequest* request,
                           v1::CreateGroupResponse* response) override;
  grpc::Status GetGroup(grpc::ServerContext* context, const v1::GetGroupRequest* request,
                        v1::GetGroupResponse* response) override;
  grpc::Status ListGroups(grpc::ServerContext* context, const v1::ListGroupsRequest* request,
                          v1::ListGroupsResponse* response) override;
  grpc::Status UpdateGroup(grpc::ServerContext* context, const v1::UpdateGroupRequest* request,
                           v1::UpdateGroupResponse* response) override;
  grpc::Status DeleteGroup(grpc::ServerContext* context, const v1::DeleteGroupRequest* request,
                           v1::DeleteGroupResponse* response) override;
  grpc::Status GetLag(grpc::ServerContext* context, const v1::GetLagRequest* request,
                      v1::GetLagResponse* response) override;
  grpc::Status MeasureGroups(grpc::ServerContext* context, const v1::MeasureGroupsRequest* request,
                             v1::MeasureGroupsResponse* response) override;
  grpc::Status CommitOffsets(grpc::ServerContext* context, const v1::CommitOffsetsRequest* request,
                             v1::CommitOffsetsResponse* response) override;
  grpc::Status ResetOffsets(grpc::ServerContext* context, const v1::ResetOffsetsRequest* request,
                            v1::ResetOffsetsResponse* response) override;
  grpc::Status PauseGroup(grpc::ServerContext* context, const v1::PauseGroupRequest* request,
                          v1::PauseGroupResponse* response) override;
  grpc::Status ResumeGroup(grpc::ServerContext* context, const v1::ResumeGroupRequest* request,
                           v1::ResumeGroupResponse* response) override;
  grpc::Status ExplainGroup(grpc::ServerContext* context, const v1::ExplainGroupRequest* request,
                            v1::ExplainGroupResponse* response) override;
  grpc::Status SkipOffsets(grpc::ServerContext* context, const v1::SkipOffsetsRequest* request,
                           v1::SkipOffsetsResponse* response) override;
  grpc::Status ListExpired(grpc::ServerContext* context, const v1::ListExpiredRequest* request,
                           v1::ListExpiredResponse* response) override;

 private:
  const Edge& edge_;
};

}  // namespace acta
