// Pausing and resuming groups.
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "server/core/groups/group_state.h"
#include "server/core/groups/group_text.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"

namespace acta {
namespace {

constexpr absl::Duration kLongestPause = absl::Hours(24 * 400);
constexpr absl::Duration kResumeAgain = absl::Seconds(1);
// The server's time may leap, over a suspend or when a jump of the clock is accepted, and no timer
// does: so often it is asked whether a pause is over.
constexpr absl::Duration kAskForEndEvery = absl::Minutes(1);

}  // namespace

absl::StatusOr<v1::PauseGroupResponse> GroupRegistry::Pause(const Caller& caller,
                                                            const v1::PauseGroupRequest& request) {
  MutexLock lock(state_->write_mu);
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const GroupPtr group, state_->Get(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(CheckReason("a pause", request.reason()));
  const absl::Time now = state_->deps.engine.Now();
  v1::GroupPause pause;
  pause.set_reason(request.reason());
  pause.set_by(caller.principal);
  SetTime(now, pause.mutable_pause_time());
  if (request.has_until()) {
    const std::optional<absl::Time> until = GetTime(request.until());
    if (!until.has_value() || *until <= now || *until - now > kLongestPause) {
      return Error(v1::INVALID_ARGUMENT,
                   "until: it is not in the future, or more than 400 days away",
                   {{"field", "until"}});
    }
    *pause.mutable_until() = request.until();
  }
  RETURN_IF_ERROR(state_->SetPause(*group, std::move(pause)));
  state_->ResumeLater(*group);
  v1::PauseGroupResponse response;
  *response.mutable_group() = group->record().group();
  return response;
}

absl::StatusOr<v1::ResumeGroupResponse> GroupRegistry::Resume(
    const Caller& caller, const v1::ResumeGroupRequest& request) {
  MutexLock lock(state_->write_mu);
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const GroupPtr group, state_->Get(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(state_->SetPause(*group, std::nullopt));
  v1::ResumeGroupResponse response;
  *response.mutable_group() = group->record().group();
  return response;
}

absl::Status GroupRegistry::State::SetPause(Group& group, std::optional<v1::GroupPause> pause) {
  storage::v1::GroupRecord record = group.record();
  if (!pause.has_value() && !record.group().has_pause()) return absl::OkStatus();
  if (pause.has_value()) {
    *record.mutable_group()->mutable_pause() = *std::move(pause);
  } else {
    record.mutable_group()->clear_pause();
  }
  std::vector<RowWrite> rows;
  rows.push_back(
      {Family::kMeta, GroupRow(group.tenant(), group.name()), record.SerializeAsString()});
  RETURN_IF_ERROR(Write(std::move(rows)));
  group.SetRecord(std::move(record));
  CancelResume(group.id());
  return absl::OkStatus();
}

void GroupRegistry::State::ResumeLater(const Group& group, absl::Duration least) {
  CancelResume(group.id());
  const storage::v1::GroupRecord record = group.record();
  if (!record.group().pause().has_until()) return;
  const absl::Duration left = ToTime(record.group().pause().until()) - deps.engine.Now();
  const absl::Duration wait = std::max(std::min(left, kAskForEndEvery), least);
  resume_timers_[group.id()] = deps.timer.After(wait, [state = weak_from_this(), id = group.id()] {
    if (const auto self = state.lock()) self->ResumeInTime(id);
  });
}

void GroupRegistry::State::CancelResume(GroupId id) {
  const auto timer = resume_timers_.extract(id);
  if (!timer.empty()) deps.timer.Cancel(timer.mapped());
}

void GroupRegistry::State::ResumeInTime(GroupId id) {
  MutexLock lock(write_mu);
  const GroupPtr group = FindById(id);
  if (group == nullptr) return;
  const v1::GroupPause pause = group->record().group().pause();
  if (!pause.has_until()) return;
  if (ToTime(pause.until()) > deps.engine.Now()) return ResumeLater(*group);
  if (SetPause(*group, std::nullopt).ok()) return;
  LogWarn("a group whose pause is over could not be resumed: tried again in 1 s",
          {{"group", group->name()}});
  ResumeLater(*group, kResumeAgain);
}

}  // namespace acta
