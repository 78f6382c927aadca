#include "server/rpc/topics_service.h"

#include "server/rpc/cold_call.h"

namespace acta {

grpc::Status TopicsService::CreateTopic(grpc::ServerContext* context,
                                        const v1::CreateTopicRequest* request,
                                        v1::CreateTopicResponse* response) {
  return RunCold(edge_, "/acta.v1.Topics/CreateTopic", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.topics.Create(caller, *request); });
}

grpc::Status TopicsService::GetTopic(grpc::ServerContext* context,
                                     const v1::GetTopicRequest* request,
                                     v1::GetTopicResponse* response) {
  return RunCold(edge_, "/acta.v1.Topics/GetTopic", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.topics.Get(caller, *request); });
}

grpc::Status TopicsService::ListTopics(grpc::ServerContext* context,
                                       const v1::ListTopicsRequest* request,
                                       v1::ListTopicsResponse* response) {
  return RunCold(edge_, "/acta.v1.Topics/ListTopics", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.topics.List(caller, *request); });
}

grpc::Status TopicsService::UpdateTopic(grpc::ServerContext* context,
                                        const v1::UpdateTopicRequest* request,
                                        v1::UpdateTopicResponse* response) {
  return RunCold(edge_, "/acta.v1.Topics/UpdateTopic", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.topics.Update(caller, *request); });
}

grpc::Status TopicsService::DeleteTopic(grpc::ServerContext* context,
                                        const v1::DeleteTopicRequest* request,
                                        v1::DeleteTopicResponse* response) {
  return RunCold(edge_, "/acta.v1.Topics/DeleteTopic", *context, *request, response,
                 [&](const Caller& caller) { return edge_.deps.topics.Delete(caller, *request); });
}

grpc::Status TopicsService::ListPartitions(grpc::ServerContext* context,
                                           const v1::ListPartitionsRequest* request,
                                           v1::ListPartitionsResponse* response) {
  return RunCold(
      edge_, "/acta.v1.Topics/ListPartitions", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.topics.ListPartitions(caller, *request); });
}

grpc::Status TopicsService::FindOffsets(grpc::ServerContext* context,
                                        const v1::FindOffsetsRequest* request,
                                        v1::FindOffsetsResponse* response) {
  return RunCold(
      edge_, "/acta.v1.Topics/FindOffsets", *context, *request, response,
      [&](const Caller& caller) { return edge_.deps.topics.FindOffsets(caller, *request); });
}

}  // namespace acta
