#pragma once

#include "acta/v1/topics.grpc.pb.h"
#include "server/rpc/edge.h"

namespace acta {

// acta.v1.Topics on the topic registry.
//
// Threads:   those of gRPC's synchronous server; they wait for the disk.
// Ownership: borrows the edge.
class TopicsService final : public v1::Topics::Service {
 public:
  explicit TopicsService(const Edge& edge) : edge_(edge) {}

  grpc::Status CreateTopic(grpc::ServerContext* context, const v1::CreateTopicRequest* request,
                           v1::CreateTopicResponse* response) override;
  grpc::Status GetTopic(grpc::ServerContext* context, const v1::GetTopicRequest* request,
                        v1::GetTopicResponse* response) override;
  grpc::Status ListTopics(grpc::ServerContext* context, const v1::ListTopicsRequest* request,
                          v1::ListTopicsResponse* response) override;
  grpc::Status UpdateTopic(grpc::ServerContext* context, const v1::UpdateTopicRequest* request,
                           v1::UpdateTopicResponse* response) override;
  grpc::Status DeleteTopic(grpc::ServerContext* context, const v1::DeleteTopicRequest* request,
                           v1::DeleteTopicResponse* response) override;
  grpc::Status ListPartitions(grpc::ServerContext* context,
                              const v1::ListPartitionsRequest* request,
                              v1::ListPartitionsResponse* response) override;
  grpc::Status FindOffsets(grpc::ServerContext* context, const v1::FindOffsetsRequest* request,
                           v1::FindOffsetsResponse* response) override;

 private:
  const Edge& edge_;
};

}  // namespace acta
