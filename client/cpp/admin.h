#pragma once

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "acta/v1/admin.pb.h"
#include "acta/v1/claims.pb.h"
#include "acta/v1/dead_letters.pb.h"
#include "acta/v1/groups.pb.h"
#include "acta/v1/journeys.pb.h"
#include "acta/v1/publisher.pb.h"
#include "acta/v1/schedules.pb.h"
#include "acta/v1/subscriber.pb.h"
#include "acta/v1/topics.pb.h"
#include "client/cpp/channel.h"
#include "client/cpp/export.h"

namespace acta::client {

struct AdminOptions {
  // Of each call; not set: the channel's.
  std::optional<absl::Duration> deadline;
};

// Admin is every unary call of the broker, one method each.
//
// Threads: any; a call blocks until it is answered, its deadline has passed, or Cancel().
// Errors:  as the comment of the method in its .proto says; error.h reads them. A broker that
//          cannot be reached is UNAVAILABLE without a reason, and the message names the address.
//          Nothing is retried.
class ACTA_CLIENT_EXPORT Admin {
 public:
  explicit Admin(std::shared_ptr<Channel> channel, const AdminOptions& options = {});
  ~Admin();
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  // Every call under way and each later one ends with CANCELLED; what one was to change may have
  // changed. Safe in any thread.
  void Cancel();

  absl::StatusOr<v1::CreateTopicResponse> CreateTopic(const v1::CreateTopicRequest& request);
  absl::StatusOr<v1::GetTopicResponse> GetTopic(const v1::GetTopicRequest& request);
  absl::StatusOr<v1::ListTopicsResponse> ListTopics(const v1::ListTopicsRequest& request);
  absl::StatusOr<v1::UpdateTopicResponse> UpdateTopic(const v1::UpdateTopicRequest& request);
  absl::StatusOr<v1::DeleteTopicResponse> DeleteTopic(const v1::DeleteTopicRequest& request);
  absl::StatusOr<v1::ListPartitionsResponse> ListPartitions(
      const v1::ListPartitionsRequest& request);
  absl::StatusOr<v1::FindOffsetsResponse> FindOffsets(const v1::FindOffsetsRequest& request);

  absl::StatusOr<v1::CreateGroupResponse> CreateGroup(const v1::CreateGroupRequest& request);
  absl::StatusOr<v1::GetGroupResponse> GetGroup(const v1::GetGroupRequest& request);
  absl::StatusOr<v1::ListGroupsResponse> ListGroups(const v1::ListGroupsRequest& request);
  absl::StatusOr<v1::UpdateGroupResponse> UpdateGroup(const v1::UpdateGroupRequest& request);
  absl::StatusOr<v1::DeleteGroupResponse> DeleteGroup(const v1::DeleteGroupRequest& request);
  absl::StatusOr<v1::GetLagResponse> GetLag(const v1::GetLagRequest& request);
  absl::StatusOr<v1::MeasureGroupsResponse> MeasureGroups(const v1::MeasureGroupsRequest& request);
  absl::StatusOr<v1::CommitOffsetsResponse> CommitOffsets(const v1::CommitOffsetsRequest& request);
  absl::StatusOr<v1::ResetOffsetsResponse> ResetOffsets(const v1::ResetOffsetsRequest& request);
  absl::StatusOr<v1::PauseGroupResponse> PauseGroup(const v1::PauseGroupRequest& request);
  absl::StatusOr<v1::ResumeGroupResponse> ResumeGroup(const v1::ResumeGroupRequest& request);
  absl::StatusOr<v1::ExplainGroupResponse> ExplainGroup(const v1::ExplainGroupRequest& request);
  absl::StatusOr<v1::SkipOffsetsResponse> SkipOffsets(const v1::SkipOffsetsRequest& request);
  absl::StatusOr<v1::ListExpiredResponse> ListExpired(const v1::ListExpiredRequest& request);

  absl::StatusOr<v1::ListDeadLettersResponse> ListDeadLetters(
      const v1::ListDeadLettersRequest& request);
  absl::StatusOr<v1::GetDeadLetterResponse> GetDeadLetter(const v1::GetDeadLetterRequest& request);
  absl::StatusOr<v1::SummarizeDeadLettersResponse> SummarizeDeadLetters(
      const v1::SummarizeDeadLettersRequest& request);
  absl::StatusOr<v1::RedriveDeadLettersResponse> RedriveDeadLetters(
      const v1::RedriveDeadLettersRequest& request);
  absl::StatusOr<v1::StartRedriveResponse> StartRedrive(const v1::StartRedriveRequest& request);
  absl::StatusOr<v1::ListRedrivesResponse> ListRedrives(const v1::ListRedrivesRequest& request);
  absl::StatusOr<v1::CancelRedriveResponse> CancelRedrive(const v1::CancelRedriveRequest& request);
  absl::StatusOr<v1::EditDeadLetterResponse> EditDeadLetter(
      const v1::EditDeadLetterRequest& request);
  absl::StatusOr<v1::DiscardDeadLettersResponse> DiscardDeadLetters(
      const v1::DiscardDeadLettersRequest& request);

  absl::StatusOr<v1::ListSchedulesResponse> ListSchedules(const v1::ListSchedulesRequest& request);
  absl::StatusOr<v1::GetScheduleResponse> GetSchedule(const v1::GetScheduleRequest& request);
  absl::StatusOr<v1::MoveScheduleResponse> MoveSchedule(const v1::MoveScheduleRequest& request);
  absl::StatusOr<v1::CancelScheduleResponse> CancelSchedule(
      const v1::CancelScheduleRequest& request);

  absl::StatusOr<v1::GetJourneyResponse> GetJourney(const v1::GetJourneyRequest& request);
  absl::StatusOr<v1::AskQuestionsResponse> AskQuestions(const v1::AskQuestionsRequest& request);

  absl::StatusOr<v1::ClaimResponse> Claim(const v1::ClaimRequest& request);
  absl::StatusOr<v1::CompleteClaimResponse> CompleteClaim(const v1::CompleteClaimRequest& request);
  absl::StatusOr<v1::ReleaseClaimResponse> ReleaseClaim(const v1::ReleaseClaimRequest& request);
  absl::StatusOr<v1::GetClaimResponse> GetClaim(const v1::GetClaimRequest& request);
  absl::StatusOr<v1::ListClaimsResponse> ListClaims(const v1::ListClaimsRequest& request);

  absl::StatusOr<v1::GetServerResponse> GetServer(const v1::GetServerRequest& request);
  absl::StatusOr<v1::GetStatusResponse> GetStatus(const v1::GetStatusRequest& request);
  absl::StatusOr<v1::GetConfigResponse> GetConfig(const v1::GetConfigRequest& request);
  absl::StatusOr<v1::GetLimitsResponse> GetLimits(const v1::GetLimitsRequest& request);
  absl::StatusOr<v1::ScrubResponse> Scrub(const v1::ScrubRequest& request);
  absl::StatusOr<v1::AcceptClockResponse> AcceptClock(const v1::AcceptClockRequest& request);
  absl::StatusOr<v1::SetLogLevelResponse> SetLogLevel(const v1::SetLogLevelRequest& request);
  absl::StatusOr<v1::StartBackupResponse> StartBackup(const v1::StartBackupRequest& request);
  absl::StatusOr<v1::ListBackupsResponse> ListBackups(const v1::ListBackupsRequest& request);
  absl::StatusOr<v1::StopBackupResponse> StopBackup(const v1::StopBackupRequest& request);
  absl::StatusOr<v1::DeleteBackupResponse> DeleteBackup(const v1::DeleteBackupRequest& request);

  // One frame. What fails in a batch stands in its result and the call is OK; what fails in the
  // whole frame is the error of the call.
  absl::StatusOr<v1::PublishResults> Publish(const v1::PublishFrame& request);
  // One step of a worker, as Worker::AckAndPublish() makes them.
  absl::StatusOr<v1::SettleResponse> Settle(const v1::SettleRequest& request);
  // One page. A `wait` in the request is added to the deadline.
  absl::StatusOr<v1::FetchResponse> Fetch(const v1::FetchRequest& request);

 private:
  class Core;
  const std::unique_ptr<Core> core_;
};

}  // namespace acta::client
