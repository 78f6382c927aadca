#include "server/core/groups/group_registry.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "proto/support/error.h"
#include "server/core/access/names.h"
#include "server/core/access/pages.h"
#include "server/core/groups/group_state.h"
#include "server/core/groups/group_text.h"
#include "server/core/topics/topic_rules.h"
#include "storage/base/random.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

std::string DrawMemberId() { return absl::StrFormat("m-%016x", DrawNumber()); }

bool SameTopics(const v1::Group& group, const std::vector<std::string>& topics) {
  std::vector<std::string> have(group.topics().begin(), group.topics().end());
  std::vector<std::string> want = topics;
  std::sort(have.begin(), have.end());
  std::sort(want.begin(), want.end());
  return have == want;
}

// What a group reads, as many as a message has room for.
std::string TopicsText(const v1::Group& group) {
  constexpr int kMostNames = 8;
  const int named = std::min(group.topics_size(), kMostNames);
  const std::string names =
      absl::StrJoin(group.topics().begin(), group.topics().begin() + named, ", ");
  if (named == group.topics_size()) return names;
  return absl::StrCat(names, " and ", group.topics_size() - named, " more");
}

absl::Status CheckSettings(const v1::Group& group, const JoinRequest& request) {
  const bool mode =
      request.create_mode == v1::GROUP_MODE_UNSPECIFIED || request.create_mode == group.mode();
  if (mode && (request.create_topics.empty() || SameTopics(group, request.create_topics))) {
    return absl::OkStatus();
  }
  std::string has;
  if (!mode) {
    has = absl::StrCat("has another mode: ask for ",
                       group.mode() == v1::GROUP_MODE_QUEUE ? "QUEUE" : "STREAM");
  } else if (group.topics().empty()) {
    has = "reads nothing since its last topic was deleted: give it one with `acta group update`";
  } else {
    has = absl::StrCat("reads other topics: name just what it reads (", TopicsText(group), ")");
  }
  return Error(v1::GROUP_MISMATCH,
               absl::StrCat("group '", group.name(), "' ", has, ", or use another group"),
               {{"group", group.name()}});
}

}  // namespace

GroupRegistry::GroupRegistry(const Deps& deps) : state_(std::make_shared<State>(deps)) {}
GroupRegistry::~GroupRegistry() = default;

absl::Status GroupRegistry::Load() { return state_->Load(); }

absl::Status GroupRegistry::KeepCopies(PartitionId partition, Offset first) const {
  const auto queues = state_->Queues();  // Retention asks for thousands of partitions at once.
  for (const GroupPtr& group : *queues) {
    if (!group->ReadsTopic(partition.topic())) continue;
    RETURN_IF_ERROR(group->queue()->KeepCopies(partition, first));
  }
  return absl::OkStatus();
}

void GroupRegistry::TrimEnded(const std::vector<PartitionId>& partitions) const {
  const auto queues = state_->Queues();
  for (const GroupPtr& group : *queues) group->queue()->TrimEnded(partitions);
}

absl::StatusOr<std::shared_ptr<StepGroup>> GroupRegistry::FindForStep(
    const Caller& caller, absl::string_view tenant, absl::string_view group) const {
  ASSIGN_OR_RETURN(GroupPtr found, state_->Get(caller, tenant, group));
  return std::shared_ptr<StepGroup>(std::move(found));
}

const DeliveryTokens& GroupRegistry::tokens() const { return state_->tokens; }

absl::StatusOr<GroupId> GroupRegistry::GetId(const Caller& caller, absl::string_view tenant,
                                             absl::string_view name) const {
  ASSIGN_OR_RETURN(const GroupPtr group, state_->Get(caller, tenant, name));
  return group->id();
}

std::optional<std::string> GroupRegistry::NameOf(GroupId id) const {
  const GroupPtr group = state_->FindById(id);
  if (group == nullptr) return std::nullopt;
  return group->name();
}

void GroupRegistry::StopWaiting() {
  for (const GroupPtr& group : state_->All()) {
    if (group->queue() != nullptr) group->queue()->StopWaiting();
  }
}

int64_t GroupRegistry::group_count() const { return state_->count(); }

absl::StatusOr<v1::CreateGroupResponse> GroupRegistry::Create(
    const Caller& caller, const v1::CreateGroupRequest& request) {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  MutexLock lock(state_->write_mu);
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const GroupPtr group, state_->Create(caller, request.group(), request.start()));
  v1::CreateGroupResponse response;
  *response.mutable_group() = group->record().group();
  return response;
}

absl::StatusOr<v1::GetGroupResponse> GroupRegistry::Get(const Caller& caller,
                                                        const v1::GetGroupRequest& request) const {
  ASSIGN_OR_RETURN(const GroupPtr group, state_->Get(caller, request.tenant(), request.name()));
  v1::GetGroupResponse response;
  *response.mutable_group() = group->Describe();
  return response;
}

absl::StatusOr<v1::ListGroupsResponse> GroupRegistry::List(
    const Caller& caller, const v1::ListGroupsRequest& request) const {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  ASSIGN_OR_RETURN(const size_t page_size, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string after, ParsePageToken("group", request.page_token()));
  if (!request.topic().empty()) {
    RETURN_IF_ERROR(state_->AllowTopic(caller, Verb::kObserve, request.topic()));
    RETURN_IF_ERROR(state_->deps.topics.Get(caller.tenant, request.topic()).status());
  }
  v1::ListGroupsResponse response;
  for (const GroupPtr& group : state_->All()) {
    if (group->tenant() != caller.tenant || group->name() <= after) continue;
    const v1::Group described = group->record().group();
    const auto& topics = described.topics();
    const bool wanted = request.topic().empty() ||
                        std::find(topics.begin(), topics.end(), request.topic()) != topics.end();
    if (!wanted) continue;
    if (static_cast<size_t>(response.groups_size()) == page_size) {
      response.set_next_page_token(MakePageToken(response.groups().rbegin()->name()));
      break;
    }
    *response.add_groups() = described;
  }
  return response;
}

absl::StatusOr<v1::UpdateGroupResponse> GroupRegistry::Update(
    const Caller& caller, const v1::UpdateGroupRequest& request) {
  RETURN_IF_ERROR(CheckMask(request.update_mask()));
  std::vector<State::Gone> gone;
  const absl::Cleanup forget = [&] { state_->ForgetAll(gone); };  // Without the lock.
  MutexLock lock(state_->write_mu);
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const GroupPtr group,
                   state_->Get(caller, request.tenant(), request.group().name()));
  RETURN_IF_ERROR(state_->CheckRoom());
  RETURN_IF_ERROR(state_->Update(caller, *group, request, &gone));
  v1::UpdateGroupResponse response;
  *response.mutable_group() = group->record().group();
  return response;
}

absl::StatusOr<v1::DeleteGroupResponse> GroupRegistry::Delete(
    const Caller& caller, const v1::DeleteGroupRequest& request) {
  std::vector<State::Gone> gone;
  const absl::Cleanup forget = [&] { state_->ForgetAll(gone); };  // Without the lock.
  MutexLock lock(state_->write_mu);
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const GroupPtr group, state_->Get(caller, request.tenant(), request.name()));
  const size_t connected = group->connected();
  if (connected > 0 && !request.force()) {
    return Error(v1::GROUP_IN_USE,
                 absl::StrCat("group '", group->name(), "' has ", connected,
                              " connected members: stop them, or force the deletion"),
                 {{"group", group->name()}, {"members", absl::StrCat(connected)}});
  }
  RETURN_IF_ERROR(state_->CheckRoom());
  RETURN_IF_ERROR(state_->Delete(group, &gone));
  return v1::DeleteGroupResponse();
}

absl::StatusOr<std::shared_ptr<Membership>> GroupRegistry::Join(
    const Caller& caller, const JoinRequest& request, std::shared_ptr<MemberListener> listener) {
  RETURN_IF_ERROR(ValidateName("group", request.group));
  if (!request.member_id.empty()) RETURN_IF_ERROR(ValidateName("member_id", request.member_id));
  const std::string member_id = request.member_id.empty() ? DrawMemberId() : request.member_id;
  MutexLock lock(state_->write_mu);
  GroupPtr group = state_->Find(caller.tenant, request.group);
  bool created = false;
  if (group == nullptr) {
    const bool create = request.create_mode != v1::GROUP_MODE_UNSPECIFIED &&
                        request.create_at.at_case() != v1::StartPosition::AT_NOT_SET;
    if (!create) return GroupNotFound(request.group);
    v1::Group wanted;
    wanted.set_name(request.group);
    wanted.set_mode(request.create_mode);
    for (const std::string& topic : request.create_topics) wanted.add_topics(topic);
    ASSIGN_OR_RETURN(group, state_->Create(caller, std::move(wanted), request.create_at));
    created = true;
  } else {
    RETURN_IF_ERROR(CheckSettings(group->record().group(), request));
  }
  return group->Join(caller, request, member_id, created, std::move(listener));
}

}  // namespace acta
