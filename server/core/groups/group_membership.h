#pragma once

#include <memory>
#include <string>
#include <utility>

#include "server/core/groups/group.h"

namespace acta {

// A session's place in its group; see Membership.
class GroupMembership final : public Membership {
 public:
  GroupMembership(std::shared_ptr<Group> group, std::shared_ptr<Group::Session> session,
                  bool created)
      : group_(std::move(group)), session_(std::move(session)), created_(created) {}
  ~GroupMembership() override { group_->Break(session_); }

  const std::string& member_id() const override { return session_->member_id; }
  bool group_created() const override { return created_; }
  void Commit(uint64_t handle, Offset offset, CommitDone done) override {
    group_->Commit(session_, handle, offset, std::move(done));
  }
  GroupQueue* queue() const override { return group_->queue(); }
  uint64_t session() const override { return session_->number; }
  uint64_t NewHandle() override { return group_->NewHandle(); }
  GroupId group() const override { return group_->id(); }
  absl::Status Released(uint64_t handle) override { return group_->Released(session_, handle); }
  void Leave() override { group_->Leave(session_); }

 private:
  const std::shared_ptr<Group> group_;
  const std::shared_ptr<Group::Session> session_;
  const bool created_;
};

}  // namespace acta
