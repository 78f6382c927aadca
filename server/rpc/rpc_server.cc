#include "server/rpc/rpc_server.h"

#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <initializer_list>
#include <utility>

#include "absl/time/clock.h"
#include "server/rpc/admin_service.h"
#include "server/rpc/async_services.h"
#include "server/rpc/claims_service.h"
#include "server/rpc/completion_loop.h"
#include "server/rpc/connection_acceptor.h"
#include "server/rpc/dead_letters_service.h"
#include "server/rpc/groups_service.h"
#include "server/rpc/health_watch.h"
#include "server/rpc/journeys_service.h"
#include "server/rpc/publish_stream.h"
#include "server/rpc/reflection_stream.h"
#include "server/rpc/schedules_service.h"
#include "server/rpc/subscribe_stream.h"
#include "server/rpc/topics_service.h"
#include "server/rpc/unary_methods.h"
#include "storage/base/handover.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

using HandOverPoint = grpc::experimental::ExternalConnectionAcceptor;

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

// Frame size, windows and the like made no difference when measured: gRPC's defaults.
void SetLimits(const RpcLimits& limits, grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(limits.max_receive_bytes);
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, limits.max_metadata_bytes);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                              static_cast<int>(limits.connections.max_streams_per_connection));
  builder->AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                              Milliseconds(limits.handshake_timeout));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(limits.keepalive));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                              Milliseconds(limits.keepalive_timeout));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Clients may ask as often as the server does, and somewhat more: their clocks are not ours.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              Milliseconds(limits.keepalive / 2));
  // A small compressed message may be a huge one.
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  grpc::ResourceQuota quota("acta");
  quota.Resize(static_cast<size_t>(limits.max_buffer_bytes));
  quota.SetMaxThreads(limits.max_sync_threads);
  builder->SetResourceQuota(quota);
}

}  // namespace

struct RpcServer::Core {
  explicit Core(RpcDeps deps)
      : edge(std::move(deps)),
        topics(edge),
        groups(edge),
        dead_letters(edge),
        schedules(edge),
        journeys(edge),
        claims(edge),
        admin(edge) {}

  absl::Status Build();
  void ListenForCalls();
  void Accept();

  Edge edge;
  RawPublisher publisher;
  RawSubscriber subscriber;
  AsyncHealth health;
  AsyncReflection reflection;
  TopicsService topics;
  GroupsService groups;
  DeadLettersService dead_letters;
  SchedulesService schedules;
  JourneysService journeys;
  ClaimsService claims;
  AdminService admin;
  const UnaryMethod unary[4] = {PublishMethod(publisher), SettleMethod(subscriber),
                                FetchMethod(subscriber), HealthCheckMethod(health)};
  std::unique_ptr<CompletionLoop> loop;
  std::unique_ptr<HandOverPoint> hand_over;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<ConnectionAcceptor> acceptor;
  bool accepts = false;
};

absl::Status RpcServer::Core::Build() {
  grpc::ServerBuilder builder;
  SetLimits(edge.deps.limits, &builder);
  for (grpc::Service* service : std::initializer_list<grpc::Service*>{
           &publisher, &subscriber, &health, &reflection, &topics, &groups, &dead_letters,
           &schedules, &journeys, &claims, &admin}) {
    builder.RegisterService(service);
  }
  loop = std::make_unique<CompletionLoop>(builder, [this] { edge.LookAtLog(); });
  hand_over = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
  server = builder.BuildAndStart();
  if (server == nullptr) return absl::InternalError("gRPC refuses to build the server");
  loop->Run();
  ListenForCalls();
  return absl::OkStatus();
}

void RpcServer::Core::ListenForCalls() {
  for (const auto& queue : loop->queues()) {
    for (const UnaryMethod& method : unary) UnaryCall::Listen(edge, method, *queue);
    PublishStream::Listen(edge, publisher, *queue);
    SubscribeStream::Listen(edge, subscriber, *queue);
    HealthWatch::Listen(edge, health, *queue);
    ReflectionStream::Listen(edge, reflection, *queue);
  }
}

void RpcServer::Core::Accept() {
  HandOver(&edge);  // All that calls use is there.
  acceptor->Run([this](int socket) {
    HandOverPoint::NewConnectionParameters connection;
    connection.fd = socket;
    hand_over->HandleNewConnection(&connection);
  });
}

RpcServer::RpcServer(std::unique_ptr<Core> core) : core_(std::move(core)) {}

RpcServer::~RpcServer() { Stop(absl::ZeroDuration()); }

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(const std::string& host, uint16_t port,
                                                            RpcDeps deps) {
  RETURN_IF_ERROR(CheckMethodTable());
  auto core = std::make_unique<Core>(std::move(deps));
  ASSIGN_OR_RETURN(core->acceptor, ConnectionAcceptor::Listen(host, port, core->edge.deps.limits,
                                                              core->edge.deps.rejections));
  RETURN_IF_ERROR(core->Build());
  return std::unique_ptr<RpcServer>(new RpcServer(std::move(core)));
}

const std::string& RpcServer::address() const { return core_->acceptor->address(); }

uint16_t RpcServer::port() const { return core_->acceptor->port(); }

RpcCounts RpcServer::counts() const {
  return {core_->acceptor->connections(),
          core_->edge.publish_streams.load(std::memory_order_relaxed),
          core_->edge.publish_streams_unanswered.load(std::memory_order_relaxed),
          core_->edge.publish_streams_without_room.load(std::memory_order_relaxed),
          core_->edge.subscriptions.load(std::memory_order_relaxed)};
}

void RpcServer::SetServing(bool serving) {
  core_->edge.SetServing(serving);
  if (serving && !std::exchange(core_->accepts, true)) core_->Accept();
}

void RpcServer::RefuseCalls() { core_->edge.SetStopping(); }

void RpcServer::Stop(absl::Duration grace) {
  if (core_->server == nullptr) return;
  RefuseCalls();
  // gRPC would leak what is handed over later.
  core_->acceptor->Stop();
  core_->server->Shutdown(absl::ToChronoTime(absl::Now() + grace));
  core_->edge.WaitForCalls();
  core_->loop->Stop();
  core_->server.reset();
}

}  // namespace acta
