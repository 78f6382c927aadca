#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "acta/v1/dead_letters.pb.h"
#include "acta/v1/groups.pb.h"
#include "server/core/access/authorizer.h"
#include "server/core/groups/lag_meter.h"
#include "server/core/queues/delivery_tokens.h"
#include "server/core/queues/group_queue.h"
#include "server/core/topics/topic_registry.h"
#include "server/exec/executor.h"
#include "storage/base/clock.h"
#include "storage/log_engine.h"

namespace acta {

struct GroupLimits {
  int64_t max_groups = 10000;
  int32_t max_topics_per_group = 64;
  int32_t max_members_per_group = 1000;
  // Of attempts, copies and parked events that a reset deletes in its one write: for a moment about
  // 300 bytes of memory each.
  int64_t max_reset_rows = 2'000'000;
  absl::Duration revoke_deadline = absl::Seconds(30);
  absl::Duration member_grace = absl::Seconds(30);  // A named member keeps its place so long.
};

inline constexpr int64_t kMaxDescriptionBytes = 1024;

// A partition handed to a member.
struct MemberAssignment {
  uint64_t handle = 0;  // Unique in the life of the daemon.
  TopicPtr topic;
  int32_t partition = 0;
  int64_t generation = 0;
  Offset offset;  // Next to deliver: the committed offset.
  Incarnation incarnation;
};

// What a group tells a connected member. Calls come one at a time for one member, from any
// thread, outside of every lock; they must not block.
class MemberListener {
 public:
  virtual ~MemberListener() = default;
  virtual void OnAssigned(const MemberAssignment& assignment) = 0;
  virtual void OnRevoking(uint64_t handle, absl::Duration deadline) = 0;
  virtual void OnRevoked(uint64_t handle) = 0;
  // Nothing is to be delivered while the group is paused.
  virtual void OnPaused(bool paused) = 0;
  // Of a QUEUE group: there may be something to take. Also beside another call.
  virtual void OnQueued() = 0;
  // The member is out: MEMBER_REPLACED, GROUP_RESET (or a skip), GROUP_NOT_FOUND (deleted).
  virtual void OnEnded(const absl::Status& status) = 0;
};

struct JoinRequest {
  std::string group;
  std::string member_id;  // Empty: one is drawn.
  std::string app, app_version, instance;
  // Set: a missing group is created.
  v1::GroupMode create_mode = v1::GROUP_MODE_UNSPECIFIED;
  v1::StartPosition create_at;
  std::vector<std::string> create_topics;
};

// A member's place in a group; dropping it without Leave() is a broken stream.
class Membership {
 public:
  virtual ~Membership() = default;
  virtual const std::string& member_id() const = 0;
  virtual bool group_created() const = 0;
  // `done` runs once, any thread, after the commit is durable (FSYNC). Errors: FENCED,
  // OFFSET_BEYOND_END. OK with `changed` false: a lower or equal offset changes nothing.
  using CommitDone = absl::AnyInvocable<void(absl::Status, bool changed)>;
  virtual void Commit(uint64_t handle, Offset offset, CommitDone done) = 0;
  // Errors: FENCED.
  virtual absl::Status Released(uint64_t handle) = 0;
  // Of a QUEUE group, which assigns nothing: where the member takes and settles, as this session.
  // Null: a STREAM group.
  virtual GroupQueue* queue() const = 0;
  virtual uint64_t session() const = 0;
  // No other stream of a group has it, or gets it, in this life of the broker.
  virtual uint64_t NewHandle() = 0;
  virtual GroupId group() const = 0;
  // A clean leave: partitions move at once. Also drops the place of a named member.
  virtual void Leave() = 0;
};

// A group as who settles without a stream sees it.
class StepGroup {
 public:
  virtual ~StepGroup() = default;
  virtual GroupId id() const = 0;
  // Null: a STREAM group.
  virtual GroupQueue* queue() const = 0;
  // Settles the runs in one write with what else is in the step. Not OK: nothing was done and
  // `done` does not run; else it says what became of it. Errors, at once or there: LEASE_LOST,
  // ALREADY_SETTLED, NEVER_LEASED, FENCED (details topic_id, partition, offset); INVALID_ARGUMENT
  // for runs of several members.
  virtual absl::Status SettleStep(QueueStep step) = 0;
  // What a step with these runs would be refused for now; CONCURRENT_CHANGE: it would wait for
  // another with events of it.
  virtual absl::Status CheckStep(absl::Span<const HeldRun> runs) const = 0;
};

// GroupRegistry is all groups with their positions and members.
//
// Threads: any. Methods that take requests wait for the disk; Join() does too.
// Errors:  as the methods of acta.v1.Groups say; PERMISSION_DENIED.
class GroupRegistry {
 public:
  struct Deps {
    LogEngine& engine;
    const Clock& clock;  // Of the deadlines of members; what is stored has the engine's time.
    TopicRegistry& topics;
    // Asked for every topic a request gives a group, moves it in or shows of it, before the topic
    // is looked up. Whether the caller may use the group is asked by whoever calls.
    const Authorizer& authorizer;
    Executor& pool;
    Timer& timer;
    GroupLimits limits;
  };
  explicit GroupRegistry(const Deps& deps);
  ~GroupRegistry();

  // Reads the records. Once, after TopicRegistry::Load().
  absl::Status Load();

  absl::StatusOr<v1::CreateGroupResponse> Create(const Caller&, const v1::CreateGroupRequest&);
  absl::StatusOr<v1::GetGroupResponse> Get(const Caller&, const v1::GetGroupRequest&) const;
  absl::StatusOr<v1::ListGroupsResponse> List(const Caller&, const v1::ListGroupsRequest&) const;
  absl::StatusOr<v1::UpdateGroupResponse> Update(const Caller&, const v1::UpdateGroupRequest&);
  absl::StatusOr<v1::DeleteGroupResponse> Delete(const Caller&, const v1::DeleteGroupRequest&);
  absl::StatusOr<v1::GetLagResponse> GetLag(const Caller&, const v1::GetLagRequest&) const;
  absl::StatusOr<v1::MeasureGroupsResponse> Measure(const Caller&,
                                                    const v1::MeasureGroupsRequest&) const;
  absl::StatusOr<v1::CommitOffsetsResponse> CommitOffsets(const Caller&,
                                                          const v1::CommitOffsetsRequest&);
  absl::StatusOr<v1::ResetOffsetsResponse> ResetOffsets(const Caller&,
                                                        const v1::ResetOffsetsRequest&);

  absl::StatusOr<v1::PauseGroupResponse> Pause(const Caller&, const v1::PauseGroupRequest&);
  absl::StatusOr<v1::ResumeGroupResponse> Resume(const Caller&, const v1::ResumeGroupRequest&);
  absl::StatusOr<v1::ExplainGroupResponse> Explain(const Caller&,
                                                   const v1::ExplainGroupRequest&) const;
  absl::StatusOr<v1::SkipOffsetsResponse> Skip(const Caller&, const v1::SkipOffsetsRequest&);
  absl::StatusOr<v1::ListExpiredResponse> ListExpired(const Caller&,
                                                      const v1::ListExpiredRequest&) const;

  absl::StatusOr<v1::ListDeadLettersResponse> ListDeadLetters(
      const Caller&, const v1::ListDeadLettersRequest&) const;
  absl::StatusOr<v1::GetDeadLetterResponse> GetDeadLetter(const Caller&,
                                                          const v1::GetDeadLetterRequest&) const;
  absl::StatusOr<v1::SummarizeDeadLettersResponse> SummarizeDeadLetters(
      const Caller&, const v1::SummarizeDeadLettersRequest&) const;
  absl::StatusOr<v1::RedriveDeadLettersResponse> RedriveDeadLetters(
      const Caller&, const v1::RedriveDeadLettersRequest&);
  absl::StatusOr<v1::DiscardDeadLettersResponse> DiscardDeadLetters(
      const Caller&, const v1::DiscardDeadLettersRequest&);
  absl::StatusOr<v1::StartRedriveResponse> StartRedrive(const Caller&,
                                                        const v1::StartRedriveRequest&);
  absl::StatusOr<v1::ListRedrivesResponse> ListRedrives(const Caller&,
                                                        const v1::ListRedrivesRequest&) const;
  absl::StatusOr<v1::CancelRedriveResponse> CancelRedrive(const Caller&,
                                                          const v1::CancelRedriveRequest&);

  // Forgets a dead letter in one write with a step that settles nothing. Blocks until it was
  // written or refused, as `step.done` says. Not OK: it was not tried.
  absl::Status ReplaceDeadLetter(const Caller&, const v1::EditDeadLetterRequest&, QueueStep step);

  // Blocks on the disk: call it on the pool. `listener` must live until Leave() returned or
  // OnEnded() ran or the membership was dropped.
  absl::StatusOr<std::shared_ptr<Membership>> Join(const Caller&, const JoinRequest&,
                                                   std::shared_ptr<MemberListener> listener);

  // Topic hooks (TopicRegistry::SetDeleteCheck, SetChangeListener).
  absl::Status CheckTopicDelete(const Topic& topic, bool force) const;
  void OnTopicChanged(const Topic& topic, bool deleted);

  // Events of the partition below `first` are about to go from the log: groups copy what they still
  // need of them, and look at no more of them until TrimEnded(). Blocks. Not OK: they may not go.
  absl::Status KeepCopies(PartitionId partition, Offset first) const;
  // Once after each of those, also one that was refused: they are gone, or stay.
  void TrimEnded(const std::vector<PartitionId>& partitions) const;

  // Errors: TENANT_NOT_FOUND, GROUP_NOT_FOUND.
  absl::StatusOr<std::shared_ptr<StepGroup>> FindForStep(const Caller&, absl::string_view tenant,
                                                         absl::string_view group) const;
  // Of the deliveries of all groups.
  const DeliveryTokens& tokens() const;
  // For rooms that keep something of a group by its id, which is never used again.
  // Errors: TENANT_NOT_FOUND, GROUP_NOT_FOUND.
  absl::StatusOr<GroupId> GetId(const Caller&, absl::string_view tenant,
                                absl::string_view name) const;
  // Nothing once it is deleted.
  std::optional<std::string> NameOf(GroupId group) const;

  // The broker stops: what waits until a full disk has room is answered SERVER_STOPPING, and is not
  // done.
  void StopWaiting();

  int64_t group_count() const;
  // Where events of a partition are in each group of the tenant that reads it, by name; the events
  // in their order. Does not wait.
  struct GroupStandings {
    GroupId id;
    std::string group;
    v1::GroupMode mode = v1::GROUP_MODE_UNSPECIFIED;
    std::vector<GroupQueue::Standing> events;  // Of STREAM groups kPending or kSettled.
  };
  std::vector<GroupStandings> StandingsOf(absl::string_view tenant, PartitionId partition,
                                          absl::Span<const Offset> offsets) const;
  // Of every group, by tenant and name. Does not wait for the disk.
  struct Figures {
    std::string tenant;
    std::string group;
    bool paused = false;
    std::vector<std::string> topics;
    int64_t members = 0;     // That are connected.
    int64_t lag_events = 0;  // As GetLag says.
    LagMeter::Lag lag;
    int64_t processed_events = 0;              // Rises: for a rate.
    std::optional<GroupQueue::Figures> queue;  // Of a QUEUE group.
  };
  std::vector<Figures> Measure() const;

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace acta
