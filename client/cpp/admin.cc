#include "client/cpp/admin.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <utility>

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

namespace acta::client {
namespace {

template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Call(const Channel& channel, Stub& stub,
                              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                           Response*),
                              const Request& request,
                              absl::Duration more_time = absl::ZeroDuration()) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(
      absl::Now() + std::min(channel.options().deadline + more_time, absl::Hours(24 * 365))));
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (!status.ok()) return FromGrpc(status, channel.address());
  return response;
}

}  // namespace

struct Admin::Stubs {
  explicit Stubs(const std::shared_ptr<grpc::Channel>& channel)
      : topics(channel),
        groups(channel),
        dead_letters(channel),
        schedules(channel),
        journeys(channel),
        claims(channel),
        admin(channel),
        publisher(channel),
        subscriber(channel) {}

  v1::Topics::Stub topics;
  v1::Groups::Stub groups;
  v1::DeadLetters::Stub dead_letters;
  v1::Schedules::Stub schedules;
  v1::Journeys::Stub journeys;
  v1::Claims::Stub claims;
  v1::Admin::Stub admin;
  v1::Publisher::Stub publisher;
  v1::Subscriber::Stub subscriber;
};

Admin::Admin(std::shared_ptr<Channel> channel)
    : channel_(std::move(channel)), stubs_(std::make_unique<Stubs>(channel_->grpc())) {}

Admin::~Admin() = default;

absl::StatusOr<v1::CreateTopicResponse> Admin::CreateTopic(const v1::CreateTopicRequest& request) {
  return Call(*channel_, stubs_->topics, &v1::Topics::Stub::CreateTopic, request);
}

absl::StatusOr<v1::GetTopicResponse> Admin::GetTopic(const v1::GetTopicRequest& request) {
  return Call(*channel_, stubs_->topics, &v1::Topics::Stub::GetTopic, request);
}

absl::StatusOr<v1::ListTopicsResponse> Admin::ListTopics(const v1::ListTopicsRequest& request) {
  return Call(*channel_, stubs_->topics, &v1::Topics::Stub::ListTopics, request);
}

absl::StatusOr<v1::UpdateTopicResponse> Admin::UpdateTopic(const v1::UpdateTopicRequest& request) {
  return Call(*channel_, stubs_->topics, &v1::Topics::Stub::UpdateTopic, request);
}

absl::StatusOr<v1::DeleteTopicResponse> Admin::DeleteTopic(const v1::DeleteTopicRequest& request) {
  return Call(*channel_, stubs_->topics, &v1::Topics::Stub::DeleteTopic, request);
}

absl::StatusOr<v1::ListPartitionsResponse> Admin::ListPartitions(
    const v1::ListPartitionsRequest& request) {
  return Call(*channel_, stubs_->topics, &v1::Topics::Stub::ListPartitions, request);
}

absl::StatusOr<v1::FindOffsetsResponse> Admin::FindOffsets(const v1::FindOffsetsRequest& request) {
  return Call(*channel_, stubs_->topics, &v1::Topics::Stub::FindOffsets, request);
}

absl::StatusOr<v1::CreateGroupResponse> Admin::CreateGroup(const v1::CreateGroupRequest& request) {
  return Call(*channel_, stubs_->groups, &v1::Groups::Stub::CreateGroup, request);
}

absl::StatusOr<v1::GetGroupResponse> Admin::GetGroup(const v1::GetGroupRequest& request) {
  return Call(*channel_, stubs_->groups, &v1::Groups::Stub::GetGroup, request);
}

absl::StatusOr<v1::ListGroupsResponse> Admin::ListGroups(const v1::ListGroupsRequest& request) {
  return Call(*channel_, stubs_->groups, &v1::Groups::Stub::ListGroups, request);
}

absl::StatusOr<v1::UpdateGroupResponse> Admin::UpdateGroup(const v1::UpdateGroupRequest& request) {
  return Call(*channel_, stubs_->groups, &v1::Groups::Stub::UpdateGroup, request);
}

absl::StatusOr<v1::DeleteGroupResponse> Admin::DeleteGroup(const v1::DeleteGroupRequest& request) {
  return Call(*channel_, stubs_->groups, &v1::Groups::Stub::DeleteGroup, request);
}

absl::StatusOr<v1::GetLagResponse> Admin::GetLag(const v1::GetLagRequest& request) {
  return Call(*channel_, stubs_->groups, &v1::Groups::Stub::GetLag, request);
}

absl::StatusOr<v1::MeasureGroupsResponse> Admin::MeasureGroups(
    const v1::MeasureGroupsRequest& request) {
  return Call(*channel_, stubs_->groups, &v1::Groups::Stub::MeasureGroups, request);
}

absl::StatusOr<v1::CommitOffsetsResponse> Admin::CommitOffsets(
    const v1::CommitOffsetsRequest& request) {
  return Call(*channel_, stubs_->groups, &v1::Groups::Stub::CommitOffsets, request);
}

absl::StatusOr<v1::ResetOffsetsResponse> Admin::ResetOffsets(
    const v1::ResetOffsetsRequest& request) {
  return Call(*channel_, stubs_->groups, &v1::Groups::Stub::ResetOffsets, request);
}

absl::StatusOr<v1::PauseGroupResponse> Admin::PauseGroup(const v1::PauseGroupRequest& request) {
  return Call(*channel_, stubs_->groups, &v1::Groups::Stub::PauseGroup, request);
}

absl::StatusOr<v1::ResumeGroupResponse> Admin::ResumeGroup(const v1::ResumeGroupRequest& request) {
  return Call(*channel_, stubs_->groups, &v1::Groups::Stub::ResumeGroup, request);
}

absl::StatusOr<v1::ExplainGroupResponse> Admin::ExplainGroup(
    const v1::ExplainGroupRequest& request) {
  return Call(*channel_, stubs_->groups, &v1::Groups::Stub::ExplainGroup, request);
}

absl::StatusOr<v1::SkipOffsetsResponse> Admin::SkipOffsets(const v1::SkipOffsetsRequest& request) {
  return Call(*channel_, stubs_->groups, &v1::Groups::Stub::SkipOffsets, request);
}

absl::StatusOr<v1::ListExpiredResponse> Admin::ListExpired(const v1::ListExpiredRequest& request) {
  return Call(*channel_, stubs_->groups, &v1::Groups::Stub::ListExpired, request);
}

absl::StatusOr<v1::ListDeadLettersResponse> Admin::ListDeadLetters(
    const v1::ListDeadLettersRequest& request) {
  return Call(*channel_, stubs_->dead_letters, &v1::DeadLetters::Stub::ListDeadLetters, request);
}

absl::StatusOr<v1::GetDeadLetterResponse> Admin::GetDeadLetter(
    const v1::GetDeadLetterRequest& request) {
  return Call(*channel_, stubs_->dead_letters, &v1::DeadLetters::Stub::GetDeadLetter, request);
}

absl::StatusOr<v1::SummarizeDeadLettersResponse> Admin::SummarizeDeadLetters(
    const v1::SummarizeDeadLettersRequest& request) {
  return Call(*channel_, stubs_->dead_letters, &v1::DeadLetters::Stub::SummarizeDeadLetters,
              request);
}

absl::StatusOr<v1::RedriveDeadLettersResponse> Admin::RedriveDeadLetters(
    const v1::RedriveDeadLettersRequest& request) {
  return Call(*channel_, stubs_->dead_letters, &v1::DeadLetters::Stub::RedriveDeadLetters, request);
}

absl::StatusOr<v1::StartRedriveResponse> Admin::StartRedrive(
    const v1::StartRedriveRequest& request) {
  return Call(*channel_, stubs_->dead_letters, &v1::DeadLetters::Stub::StartRedrive, request);
}

absl::StatusOr<v1::ListRedrivesResponse> Admin::ListRedrives(
    const v1::ListRedrivesRequest& request) {
  return Call(*channel_, stubs_->dead_letters, &v1::DeadLetters::Stub::ListRedrives, request);
}

absl::StatusOr<v1::CancelRedriveResponse> Admin::CancelRedrive(
    const v1::CancelRedriveRequest& request) {
  return Call(*channel_, stubs_->dead_letters, &v1::DeadLetters::Stub::CancelRedrive, request);
}

absl::StatusOr<v1::EditDeadLetterResponse> Admin::EditDeadLetter(
    const v1::EditDeadLetterRequest& request) {
  return Call(*channel_, stubs_->dead_letters, &v1::DeadLetters::Stub::EditDeadLetter, request);
}

absl::StatusOr<v1::DiscardDeadLettersResponse> Admin::DiscardDeadLetters(
    const v1::DiscardDeadLettersRequest& request) {
  return Call(*channel_, stubs_->dead_letters, &v1::DeadLetters::Stub::DiscardDeadLetters, request);
}

absl::StatusOr<v1::ListSchedulesResponse> Admin::ListSchedules(
    const v1::ListSchedulesRequest& request) {
  return Call(*channel_, stubs_->schedules, &v1::Schedules::Stub::ListSchedules, request);
}

absl::StatusOr<v1::GetScheduleResponse> Admin::GetSchedule(const v1::GetScheduleRequest& request) {
  return Call(*channel_, stubs_->schedules, &v1::Schedules::Stub::GetSchedule, request);
}

absl::StatusOr<v1::MoveScheduleResponse> Admin::MoveSchedule(
    const v1::MoveScheduleRequest& request) {
  return Call(*channel_, stubs_->schedules, &v1::Schedules::Stub::MoveSchedule, request);
}

absl::StatusOr<v1::CancelScheduleResponse> Admin::CancelSchedule(
    const v1::CancelScheduleRequest& request) {
  return Call(*channel_, stubs_->schedules, &v1::Schedules::Stub::CancelSchedule, request);
}

absl::StatusOr<v1::GetJourneyResponse> Admin::GetJourney(const v1::GetJourneyRequest& request) {
  return Call(*channel_, stubs_->journeys, &v1::Journeys::Stub::GetJourney, request);
}

absl::StatusOr<v1::AskQuestionsResponse> Admin::AskQuestions(
    const v1::AskQuestionsRequest& request) {
  return Call(*channel_, stubs_->journeys, &v1::Journeys::Stub::AskQuestions, request);
}

absl::StatusOr<v1::ClaimResponse> Admin::Claim(const v1::ClaimRequest& request) {
  return Call(*channel_, stubs_->claims, &v1::Claims::Stub::Claim, request);
}

absl::StatusOr<v1::CompleteClaimResponse> Admin::CompleteClaim(
    const v1::CompleteClaimRequest& request) {
  return Call(*channel_, stubs_->claims, &v1::Claims::Stub::CompleteClaim, request);
}

absl::StatusOr<v1::ReleaseClaimResponse> Admin::ReleaseClaim(
    const v1::ReleaseClaimRequest& request) {
  return Call(*channel_, stubs_->claims, &v1::Claims::Stub::ReleaseClaim, request);
}

absl::StatusOr<v1::GetClaimResponse> Admin::GetClaim(const v1::GetClaimRequest& request) {
  return Call(*channel_, stubs_->claims, &v1::Claims::Stub::GetClaim, request);
}

absl::StatusOr<v1::ListClaimsResponse> Admin::ListClaims(const v1::ListClaimsRequest& request) {
  return Call(*channel_, stubs_->claims, &v1::Claims::Stub::ListClaims, request);
}

absl::StatusOr<v1::GetServerResponse> Admin::GetServer(const v1::GetServerRequest& request) {
  return Call(*channel_, stubs_->admin, &v1::Admin::Stub::GetServer, request);
}

absl::StatusOr<v1::GetStatusResponse> Admin::GetStatus(const v1::GetStatusRequest& request) {
  return Call(*channel_, stubs_->admin, &v1::Admin::Stub::GetStatus, request);
}

absl::StatusOr<v1::GetConfigResponse> Admin::GetConfig(const v1::GetConfigRequest& request) {
  return Call(*channel_, stubs_->admin, &v1::Admin::Stub::GetConfig, request);
}

absl::StatusOr<v1::GetLimitsResponse> Admin::GetLimits(const v1::GetLimitsRequest& request) {
  return Call(*channel_, stubs_->admin, &v1::Admin::Stub::GetLimits, request);
}

absl::StatusOr<v1::ScrubResponse> Admin::Scrub(const v1::ScrubRequest& request) {
  return Call(*channel_, stubs_->admin, &v1::Admin::Stub::Scrub, request);
}

absl::StatusOr<v1::AcceptClockResponse> Admin::AcceptClock(const v1::AcceptClockRequest& request) {
  return Call(*channel_, stubs_->admin, &v1::Admin::Stub::AcceptClock, request);
}
absl::StatusOr<v1::SetLogLevelResponse> Admin::SetLogLevel(const v1::SetLogLevelRequest& request) {
  return Call(*channel_, stubs_->admin, &v1::Admin::Stub::SetLogLevel, request);
}

absl::StatusOr<v1::PublishResults> Admin::Publish(const v1::PublishFrame& request) {
  return Call(*channel_, stubs_->publisher, &v1::Publisher::Stub::Publish, request);
}

absl::StatusOr<v1::SettleResponse> Admin::Settle(const v1::SettleRequest& request) {
  return Call(*channel_, stubs_->subscriber, &v1::Subscriber::Stub::Settle, request);
}

absl::StatusOr<v1::FetchResponse> Admin::Fetch(const v1::FetchRequest& request) {
  return Call(*channel_, stubs_->subscriber, &v1::Subscriber::Stub::Fetch, request,
              ToDuration(request.wait()));
}

}  // namespace acta::client
