// A stream as a member of a group: partitions that come and go, commits.
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/core/subscribe/live_subscription.h"

namespace acta {

void LiveSubscription::WhenJoined(Turns::Task task) {
  if (ending_) return;
  if (membership_ == nullptr) {
    before_joined_.push_back(std::move(task));
  } else {
    std::move(task)();
  }
}

void LiveSubscription::OnAssigned(const MemberAssignment& assignment) {
  if (!reading_) return;
  const absl::Status allowed = deps_.hub.authorizer.Authorize(
      caller_, Verb::kSubscribe, {ResourceKind::kTopic, assignment.topic->name()});
  if (!allowed.ok()) return End(allowed);
  v1::Assigned assigned;
  assigned.set_assignment(assignment.handle);
  assigned.set_topic(assignment.topic->name());
  assigned.set_partition(assignment.partition);
  assigned.set_generation(assignment.generation);
  assigned.set_offset(assignment.offset.value());
  ReadRange range;
  range.topic = assignment.topic;
  range.partition = assignment.partition;
  range.from = assignment.offset;
  range.problem =
      deps_.hub.engine.CheckPosition(range.id(), assignment.incarnation, assignment.offset);
  // As of a reader without a group: a position that was cut off stays one of its own.
  const bool cut_off = !range.problem.ok();
  assigned.set_incarnation(
      (cut_off ? assignment.incarnation : deps_.hub.engine.incarnation()).value());
  outbox_.Assigned(assigned);
  pump_->Add(assignment.handle, std::move(range));
}

void LiveSubscription::OnRevoking(uint64_t handle, absl::Duration deadline) {
  pump_->Remove(handle);
  outbox_.Revoking(handle, deadline);
}

void LiveSubscription::OnRevoked(uint64_t handle) {
  pump_->Remove(handle);
  outbox_.Revoked(handle);
}

void LiveSubscription::OnPaused(bool paused) {
  paused_ = paused;
  // Its leases would run out here.
  if (paused && feed_ != nullptr) feed_->GiveBack();
  outbox_.Notice(paused ? "GROUP_PAUSED" : "GROUP_RESUMED", group_);
}

void LiveSubscription::OnQueued() {
  if (feed_ == nullptr) return;
  feed_->OnWake(reading_ && !paused_ && !writing_ && outbox_.empty());
  if (paused_) feed_->GiveBack();  // What was being read for it meanwhile.
}

void LiveSubscription::EndMembership(bool cleanly) {
  if (feed_ != nullptr) feed_->GiveBack();
  feed_.reset();
  if (cleanly && membership_ != nullptr) membership_->Leave();
  membership_.reset();
}

void LiveSubscription::Settle(uint64_t frame_id, const v1::Settle& settle) {
  absl::Status status = CheckMember(0);
  if (status.ok() && feed_ == nullptr) {
    status = Error(v1::WRONG_GROUP_MODE,
                   absl::StrCat("group '", group_, "' is of mode STREAM: commit offsets"),
                   {{"group", group_}});
  }
  if (!status.ok()) return settlements_.Settle(frame_id, status);
  // What is posted comes in a turn behind this one.
  settlements_.Fail(frame_id,
                    feed_->Settle(settle, [this, post = post_, frame_id](const absl::Status& done) {
                      post([this, frame_id, done] { settlements_.Settle(frame_id, done); });
                    }));
}

absl::Status LiveSubscription::CheckMember(uint64_t handle) const {
  if (group_.empty()) {
    return Error(v1::WRONG_STREAM_STATE,
                 "the stream has no group: only members commit and release partitions");
  }
  const absl::Status allowed =
      deps_.hub.authorizer.Authorize(caller_, Verb::kSubscribe, {ResourceKind::kGroup, group_});
  if (!allowed.ok() || membership_ != nullptr) return allowed;
  return Error(v1::FENCED, absl::StrCat("assignment ", handle, " is not one of this stream"),
               {{"assignment", absl::StrCat(handle)}, {"group", group_}});
}

void LiveSubscription::Commit(uint64_t frame_id, const v1::Commit& commit) {
  absl::Status status = CheckMember(commit.assignment());
  if (status.ok() && feed_ != nullptr) {
    status = Error(v1::WRONG_GROUP_MODE,
                   absl::StrCat("group '", group_, "' is of mode QUEUE: settle events"),
                   {{"group", group_}});
  }
  if (!status.ok()) return settlements_.Settle(frame_id, status);
  // The answer comes on the engine's sync thread, or here inside the call.
  membership_->Commit(commit.assignment(), Offset(commit.offset()),
                      [this, post = post_, frame_id, commit](absl::Status done, bool changed) {
                        post([this, frame_id, commit, done = std::move(done), changed] {
                          OnCommitted(frame_id, commit, done, changed);
                        });
                      });
}

void LiveSubscription::OnCommitted(uint64_t frame_id, const v1::Commit& commit,
                                   const absl::Status& status, bool changed) {
  if (status.ok() && !changed) {
    outbox_.Notice("COMMIT_NOT_NEWER",
                   absl::StrCat("offset ", commit.offset(),
                                " is not above the committed one: nothing was changed"),
                   commit.assignment());
  }
  settlements_.Settle(frame_id, status);
}

absl::Status LiveSubscription::Release(uint64_t handle) {
  const absl::Status status = CheckMember(handle);
  return status.ok() ? membership_->Released(handle) : status;
}

}  // namespace acta
