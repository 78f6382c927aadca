#include "client/cpp/admin.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "acta/v1/admin.grpc.pb.h"
#include "acta/v1/claims.grpc.pb.h"
#include "acta/v1/dead_letters.grpc.pb.h"
#include "acta/v1/groups.grpc.pb.h"
#include "acta/v1/journeys.grpc.pb.h"
#include "acta/v1/publisher.grpc.pb.h"
#include "acta/v1/schedules.grpc.pb.h"
#include "acta/v1/subscriber.grpc.pb.h"
#include "acta/v1/topics.grpc.pb.h"
#include "client/cpp/grpc_status.h"
#include "proto/support/proto_time.h"
#include "storage/base/mutex.h"

namespace acta::client {

// The stubs, and the calls under way.
//
// Threads: any.
class ACTA_CLIENT_HIDDEN Admin::Core {
 public:
  Core(std::shared_ptr<Channel> channel, const AdminOptions& options)
      : topics(channel->grpc()),
        groups(channel->grpc()),
        dead_letters(channel->grpc()),
        schedules(channel->grpc()),
        journeys(channel->grpc()),
        claims(channel->grpc()),
        admin(channel->grpc()),
        publisher(channel->grpc()),
        subscriber(channel->grpc()),
        channel_(std::move(channel)),
        deadline_(options.deadline.value_or(channel_->options().deadline)) {}

  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(
      Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
      const Request& request, absl::Duration more_time = absl::ZeroDuration()) {
    grpc::ClientContext context;
    context.set_deadline(
        absl::ToChronoTime(absl::Now() + std::min(deadline_ + more_time, absl::Hours(24 * 365))));
    if (!Begin(&context)) return absl::CancelledError("the calls were cancelled");
    Response response;
    const grpc::Status status = (stub.*method)(&context, request, &response);
    End(&context);
    if (!status.ok()) return FromGrpc(status, channel_->address());
    return response;
  }
  void Cancel();

  v1::Topics::Stub topics;
  v1::Groups::Stub groups;
  v1::DeadLetters::Stub dead_letters;
  v1::Schedules::Stub schedules;
  v1::Journeys::Stub journeys;
  v1::Claims::Stub claims;
  v1::Admin::Stub admin;
  v1::Publisher::Stub publisher;
  v1::Subscriber::Stub subscriber;

 private:
  // False once they were cancelled.
  bool Begin(grpc::ClientContext* context);
  void End(grpc::ClientContext* context);

  const std::shared_ptr<Channel> channel_;
  const absl::Duration deadline_;
  Mutex mu_;  // Leaf but for gRPC's own locks.
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::set<grpc::ClientContext*> under_way_ ABSL_GUARDED_BY(mu_);
};

bool Admin::Core::Begin(grpc::ClientContext* context) {
  MutexLock lock(mu_);
  if (!cancelled_) under_way_.insert(context);
  return !cancelled_;
}

void Admin::Core::End(grpc::ClientContext* context) {
  MutexLock lock(mu_);
  under_way_.erase(context);
}

void Admin::Core::Cancel() {
  MutexLock lock(mu_);
  cancelled_ = true;
  for (grpc::ClientContext* const context : under_way_) context->TryCancel();
}

Admin::Admin(std::shared_ptr<Channel> channel, const AdminOptions& options)
    : core_(std::make_unique<Core>(std::move(channel), options)) {}

Admin::~Admin() = default;

void Admin::Cancel() { core_->Cancel(); }

absl::StatusOr<v1::CreateTopicResponse> Admin::CreateTopic(const v1::CreateTopicRequest& request) {
  return core_->Call(core_->topics, &v1::Topics::Stub::CreateTopic, request);
}

absl::StatusOr<v1::GetTopicResponse> Admin::GetTopic(const v1::GetTopicRequest& request) {
  return core_->Call(core_->topics, &v1::Topics::Stub::GetTopic, request);
}

absl::StatusOr<v1::ListTopicsResponse> Admin::ListTopics(const v1::ListTopicsRequest& request) {
  return core_->Call(core_->topics, &v1::Topics::Stub::ListTopics, request);
}

absl::StatusOr<v1::UpdateTopicResponse> Admin::UpdateTopic(const v1::UpdateTopicRequest& request) {
  return core_->Call(core_->topics, &v1::Topics::Stub::UpdateTopic, request);
}

absl::StatusOr<v1::DeleteTopicResponse> Admin::DeleteTopic(const v1::DeleteTopicRequest& request) {
  return core_->Call(core_->topics, &v1::Topics::Stub::DeleteTopic, request);
}

absl::StatusOr<v1::ListPartitionsResponse> Admin::ListPartitions(
    const v1::ListPartitionsRequest& request) {
  return core_->Call(core_->topics, &v1::Topics::Stub::ListPartitions, request);
}

absl::StatusOr<v1::FindOffsetsResponse> Admin::FindOffsets(const v1::FindOffsetsRequest& request) {
  return core_->Call(core_->topics, &v1::Topics::Stub::FindOffsets, request);
}

absl::StatusOr<v1::CreateGroupResponse> Admin::CreateGroup(const v1::CreateGroupRequest& request) {
  return core_->Call(core_->groups, &v1::Groups::Stub::CreateGroup, request);
}

absl::StatusOr<v1::GetGroupResponse> Admin::GetGroup(const v1::GetGroupRequest& request) {
  return core_->Call(core_->groups, &v1::Groups::Stub::GetGroup, request);
}

absl::StatusOr<v1::ListGroupsResponse> Admin::ListGroups(const v1::ListGroupsRequest& request) {
  return core_->Call(core_->groups, &v1::Groups::Stub::ListGroups, request);
}

absl::StatusOr<v1::UpdateGroupResponse> Admin::UpdateGroup(const v1::UpdateGroupRequest& request) {
  return core_->Call(core_->groups, &v1::Groups::Stub::UpdateGroup, request);
}

absl::StatusOr<v1::DeleteGroupResponse> Admin::DeleteGroup(const v1::DeleteGroupRequest& request) {
  return core_->Call(core_->groups, &v1::Groups::Stub::DeleteGroup, request);
}

absl::StatusOr<v1::GetLagResponse> Admin::GetLag(const v1::GetLagRequest& request) {
  return core_->Call(core_->groups, &v1::Groups::Stub::GetLag, request);
}

absl::StatusOr<v1::MeasureGroupsResponse> Admin::MeasureGroups(
    const v1::MeasureGroupsRequest& request) {
  return core_->Call(core_->groups, &v1::Groups::Stub::MeasureGroups, request);
}

absl::StatusOr<v1::CommitOffsetsResponse> Admin::CommitOffsets(
    const v1::CommitOffsetsRequest& request) {
  return core_->Call(core_->groups, &v1::Groups::Stub::CommitOffsets, request);
}

absl::StatusOr<v1::ResetOffsetsResponse> Admin::ResetOffsets(
    const v1::ResetOffsetsRequest& request) {
  return core_->Call(core_->groups, &v1::Groups::Stub::ResetOffsets, request);
}

absl::StatusOr<v1::PauseGroupResponse> Admin::PauseGroup(const v1::PauseGroupRequest& request) {
  return core_->Call(core_->groups, &v1::Groups::Stub::PauseGroup, request);
}

absl::StatusOr<v1::ResumeGroupResponse> Admin::ResumeGroup(const v1::ResumeGroupRequest& request) {
  return core_->Call(core_->groups, &v1::Groups::Stub::ResumeGroup, request);
}

absl::StatusOr<v1::ExplainGroupResponse> Admin::ExplainGroup(
    const v1::ExplainGroupRequest& request) {
  return core_->Call(core_->groups, &v1::Groups::Stub::ExplainGroup, request);
}

absl::StatusOr<v1::SkipOffsetsResponse> Admin::SkipOffsets(const v1::SkipOffsetsRequest& request) {
  return core_->Call(core_->groups, &v1::Groups::Stub::SkipOffsets, request);
}

absl::StatusOr<v1::ListExpiredResponse> Admin::ListExpired(const v1::ListExpiredRequest& request) {
  return core_->Call(core_->groups, &v1::Groups::Stub::ListExpired, request);
}

absl::StatusOr<v1::ListDeadLettersResponse> Admin::ListDeadLetters(
    const v1::ListDeadLettersRequest& request) {
  return core_->Call(core_->dead_letters, &v1::DeadLetters::Stub::ListDeadLetters, request);
}

absl::StatusOr<v1::GetDeadLetterResponse> Admin::GetDeadLetter(
    const v1::GetDeadLetterRequest& request) {
  return core_->Call(core_->dead_letters, &v1::DeadLetters::Stub::GetDeadLetter, request);
}

absl::StatusOr<v1::SummarizeDeadLettersResponse> Admin::SummarizeDeadLetters(
    const v1::SummarizeDeadLettersRequest& request) {
  return core_->Call(core_->dead_letters, &v1::DeadLetters::Stub::SummarizeDeadLetters, request);
}

absl::StatusOr<v1::RedriveDeadLettersResponse> Admin::RedriveDeadLetters(
    const v1::RedriveDeadLettersRequest& request) {
  return core_->Call(core_->dead_letters, &v1::DeadLetters::Stub::RedriveDeadLetters, request);
}

absl::StatusOr<v1::StartRedriveResponse> Admin::StartRedrive(
    const v1::StartRedriveRequest& request) {
  return core_->Call(core_->dead_letters, &v1::DeadLetters::Stub::StartRedrive, request);
}

absl::StatusOr<v1::ListRedrivesResponse> Admin::ListRedrives(
    const v1::ListRedrivesRequest& request) {
  return core_->Call(core_->dead_letters, &v1::DeadLetters::Stub::ListRedrives, request);
}

absl::StatusOr<v1::CancelRedriveResponse> Admin::CancelRedrive(
    const v1::CancelRedriveRequest& request) {
  return core_->Call(core_->dead_letters, &v1::DeadLetters::Stub::CancelRedrive, request);
}

absl::StatusOr<v1::EditDeadLetterResponse> Admin::EditDeadLetter(
    const v1::EditDeadLetterRequest& request) {
  return core_->Call(core_->dead_letters, &v1::DeadLetters::Stub::EditDeadLetter, request);
}

absl::StatusOr<v1::DiscardDeadLettersResponse> Admin::DiscardDeadLetters(
    const v1::DiscardDeadLettersRequest& request) {
  return core_->Call(core_->dead_letters, &v1::DeadLetters::Stub::DiscardDeadLetters, request);
}

absl::StatusOr<v1::ListSchedulesResponse> Admin::ListSchedules(
    const v1::ListSchedulesRequest& request) {
  return core_->Call(core_->schedules, &v1::Schedules::Stub::ListSchedules, request);
}

absl::StatusOr<v1::GetScheduleResponse> Admin::GetSchedule(const v1::GetScheduleRequest& request) {
  return core_->Call(core_->schedules, &v1::Schedules::Stub::GetSchedule, request);
}

absl::StatusOr<v1::MoveScheduleResponse> Admin::MoveSchedule(
    const v1::MoveScheduleRequest& request) {
  return core_->Call(core_->schedules, &v1::Schedules::Stub::MoveSchedule, request);
}

absl::StatusOr<v1::CancelScheduleResponse> Admin::CancelSchedule(
    const v1::CancelScheduleRequest& request) {
  return core_->Call(core_->schedules, &v1::Schedules::Stub::CancelSchedule, request);
}

absl::StatusOr<v1::GetJourneyResponse> Admin::GetJourney(const v1::GetJourneyRequest& request) {
  return core_->Call(core_->journeys, &v1::Journeys::Stub::GetJourney, request);
}

absl::StatusOr<v1::AskQuestionsResponse> Admin::AskQuestions(
    const v1::AskQuestionsRequest& request) {
  return core_->Call(core_->journeys, &v1::Journeys::Stub::AskQuestions, request);
}

absl::StatusOr<v1::ClaimResponse> Admin::Claim(const v1::ClaimRequest& request) {
  return core_->Call(core_->claims, &v1::Claims::Stub::Claim, request);
}

absl::StatusOr<v1::CompleteClaimResponse> Admin::CompleteClaim(
    const v1::CompleteClaimRequest& request) {
  return core_->Call(core_->claims, &v1::Claims::Stub::CompleteClaim, request);
}

absl::StatusOr<v1::ReleaseClaimResponse> Admin::ReleaseClaim(
    const v1::ReleaseClaimRequest& request) {
  return core_->Call(core_->claims, &v1::Claims::Stub::ReleaseClaim, request);
}

absl::StatusOr<v1::GetClaimResponse> Admin::GetClaim(const v1::GetClaimRequest& request) {
  return core_->Call(core_->claims, &v1::Claims::Stub::GetClaim, request);
}

absl::StatusOr<v1::ListClaimsResponse> Admin::ListClaims(const v1::ListClaimsRequest& request) {
  return core_->Call(core_->claims, &v1::Claims::Stub::ListClaims, request);
}

absl::StatusOr<v1::GetServerResponse> Admin::GetServer(const v1::GetServerRequest& request) {
  return core_->Call(core_->admin, &v1::Admin::Stub::GetServer, request);
}

absl::StatusOr<v1::GetStatusResponse> Admin::GetStatus(const v1::GetStatusRequest& request) {
  return core_->Call(core_->admin, &v1::Admin::Stub::GetStatus, request);
}

absl::StatusOr<v1::GetConfigResponse> Admin::GetConfig(const v1::GetConfigRequest& request) {
  return core_->Call(core_->admin, &v1::Admin::Stub::GetConfig, request);
}

absl::StatusOr<v1::GetLimitsResponse> Admin::GetLimits(const v1::GetLimitsRequest& request) {
  return core_->Call(core_->admin, &v1::Admin::Stub::GetLimits, request);
}

absl::StatusOr<v1::ScrubResponse> Admin::Scrub(const v1::ScrubRequest& request) {
  return core_->Call(core_->admin, &v1::Admin::Stub::Scrub, request);
}

absl::StatusOr<v1::AcceptClockResponse> Admin::AcceptClock(const v1::AcceptClockRequest& request) {
  return core_->Call(core_->admin, &v1::Admin::Stub::AcceptClock, request);
}
absl::StatusOr<v1::SetLogLevelResponse> Admin::SetLogLevel(const v1::SetLogLevelRequest& request) {
  return core_->Call(core_->admin, &v1::Admin::Stub::SetLogLevel, request);
}
absl::StatusOr<v1::StartBackupResponse> Admin::StartBackup(const v1::StartBackupRequest& request) {
  return core_->Call(core_->admin, &v1::Admin::Stub::StartBackup, request);
}
absl::StatusOr<v1::ListBackupsResponse> Admin::ListBackups(const v1::ListBackupsRequest& request) {
  return core_->Call(core_->admin, &v1::Admin::Stub::ListBackups, request);
}
absl::StatusOr<v1::StopBackupResponse> Admin::StopBackup(const v1::StopBackupRequest& request) {
  return core_->Call(core_->admin, &v1::Admin::Stub::StopBackup, request);
}
absl::StatusOr<v1::DeleteBackupResponse> Admin::DeleteBackup(
    const v1::DeleteBackupRequest& request) {
  return core_->Call(core_->admin, &v1::Admin::Stub::DeleteBackup, request);
}

absl::StatusOr<v1::PublishResults> Admin::Publish(const v1::PublishFrame& request) {
  return core_->Call(core_->publisher, &v1::Publisher::Stub::Publish, request);
}

absl::StatusOr<v1::SettleResponse> Admin::Settle(const v1::SettleRequest& request) {
  return core_->Call(core_->subscriber, &v1::Subscriber::Stub::Settle, request);
}

absl::StatusOr<v1::FetchResponse> Admin::Fetch(const v1::FetchRequest& request) {
  return core_->Call(core_->subscriber, &v1::Subscriber::Stub::Fetch, request,
                     ToDuration(request.wait()));
}

}  // namespace acta::client
