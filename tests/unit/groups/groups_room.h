#pragma once

#include <catch2/catch.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/support/error.h"
#include "server/core/groups/group_registry.h"
#include "storage/base/crc32c.h"
#include "storage/base/mutex.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_log_engine.h"
#include "tests/support/status_matchers.h"

namespace acta {

// A pool and a timer stepped by hand.
class SteppedPool final : public Executor {
 public:
  void Post(absl::AnyInvocable<void()> task) override { tasks_.push_back(std::move(task)); }
  void Run() {
    while (!tasks_.empty()) {
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }
  size_t pending() const { return tasks_.size(); }

 private:
  std::deque<absl::AnyInvocable<void()>> tasks_;
};

class SteppedTimer final : public Timer {
 public:
  uint64_t After(absl::Duration delay, absl::AnyInvocable<void()> task) override {
    MutexLock lock(mu_);
    tasks_.emplace(Key(now_ + delay, ++last_), std::move(task));
    return last_;
  }
  void Cancel(uint64_t number) override {
    MutexLock lock(mu_);
    std::erase_if(tasks_, [number](const auto& task) { return task.first.second == number; });
  }
  void Advance(absl::Duration by) {
    std::vector<absl::AnyInvocable<void()>> due;
    {
      MutexLock lock(mu_);
      now_ += by;
      const auto end = tasks_.upper_bound(Key(now_, last_));
      for (auto it = tasks_.begin(); it != end; ++it) due.push_back(std::move(it->second));
      tasks_.erase(tasks_.begin(), end);
    }
    for (auto& task : due) task();
  }
  size_t waiting() const {
    MutexLock lock(mu_);
    return tasks_.size();
  }

 private:
  using Key = std::pair<absl::Duration, uint64_t>;  // Due, number.

  mutable Mutex mu_;
  absl::Duration now_ ABSL_GUARDED_BY(mu_);
  uint64_t last_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<Key, absl::AnyInvocable<void()>> tasks_ ABSL_GUARDED_BY(mu_);
};

// A member that writes down what it is told.
class RecordingMember final : public MemberListener {
 public:
  void OnAssigned(const MemberAssignment& assignment) override {
    assigned.push_back(assignment);
    held[{assignment.topic->name(), assignment.partition}] = assignment;
  }
  void OnRevoking(uint64_t handle, absl::Duration deadline) override {
    revoking.push_back(handle);
    last_deadline = deadline;
  }
  void OnPaused(bool now) override { paused = now; }
  void OnQueued() override { ++queued; }
  void OnRevoked(uint64_t handle) override {
    revoked.push_back(handle);
    std::erase_if(held, [&](const auto& entry) { return entry.second.handle == handle; });
  }
  void OnEnded(const absl::Status& status) override { ended.push_back(status); }

  uint64_t Handle(int32_t partition, const std::string& topic = "orders") const {
    const auto it = held.find({topic, partition});
    return it == held.end() ? 0 : it->second.handle;
  }

  std::vector<MemberAssignment> assigned;
  std::map<std::pair<std::string, int32_t>, MemberAssignment> held;
  std::vector<uint64_t> revoking, revoked;
  absl::Duration last_deadline;
  std::vector<absl::Status> ended;
  bool paused = false;
  int queued = 0;
};

// While `hold` is set, what is submitted waits, as if the disk were slow.
class HeldEngine final : public MemoryLogEngine {
 public:
  absl::Status Submit(Transaction transaction) override {
    if (!refuse.ok()) return refuse;
    most_rows = std::max(most_rows, transaction.rows.size());
    if (on_submit) on_submit();
    if (!hold) return MemoryLogEngine::Submit(std::move(transaction));
    held.push_back(std::move(transaction));
    return absl::OkStatus();
  }
  void LetGo() {
    hold = false;
    while (!held.empty()) {
      Transaction next = std::move(held.front());
      held.pop_front();
      (void)MemoryLogEngine::Submit(std::move(next));
    }
  }

  using MemoryLogEngine::LoadRows;
  absl::StatusOr<RowList> LoadRows(const RowRange& range) const override {
    if (on_load) on_load();
    return MemoryLogEngine::LoadRows(range);
  }

  std::function<void()> on_submit;  // Before each.
  std::function<void()> on_load;    // The same of reads of rows.
  size_t most_rows = 0;             // Of one.
  bool hold = false;
  absl::Status refuse;
  std::deque<Transaction> held;
};

// Refuses one verb on one topic.
class TopicAuthorizer final : public Authorizer {
 public:
  absl::Status Authorize(const Caller&, Verb verb, const Resource& resource) const override {
    const bool refuse = resource.kind == ResourceKind::kTopic && verb == refused_verb &&
                        resource.name == refused_topic;
    return refuse ? Error(v1::PERMISSION_DENIED, "no") : absl::OkStatus();
  }
  Verb refused_verb = Verb::kSubscribe;
  std::string refused_topic;
};

// An engine in memory with topics and groups on top.
class GroupsRoom {
 public:
  explicit GroupsRoom(GroupLimits limits = {}) : limits_(limits) { Start(); }

  // A new life on the same rows and events.
  void Restart() {
    groups.reset();
    topics.reset();
    Start();
  }

  void MakeTopic(const std::string& name, int32_t partitions) {
    v1::CreateTopicRequest request;
    request.mutable_topic()->set_name(name);
    request.mutable_topic()->set_partitions(partitions);
    REQUIRE_OK(topics->Create(caller, request));
  }
  void Publish(const std::string& topic, int32_t partition, uint32_t count, size_t bytes) {
    Append append;
    append.partition = topics->Find("default", topic)->partition(partition);
    append.payload = SharedBytes(std::string(bytes, 'x'));
    append.payload_crc32c = Crc32c(append.payload.view());
    append.count = count;
    Transaction transaction;
    transaction.appends.push_back(std::move(append));
    absl::Status status = absl::UnknownError("never done");
    transaction.done = [&status](TransactionResult result) { status = result.status; };
    REQUIRE_OK(engine.Submit(std::move(transaction)));
    REQUIRE_OK(status);
  }

  absl::Status MakeGroup(const std::string& name, const std::vector<std::string>& read,
                         v1::StartPosition start = {}) {
    v1::CreateGroupRequest request;
    request.mutable_group()->set_name(name);
    for (const std::string& topic : read) request.mutable_group()->add_topics(topic);
    *request.mutable_start() = std::move(start);
    return groups->Create(caller, request).status();
  }
  static v1::StartPosition Earliest() {
    v1::StartPosition start;
    start.set_earliest(true);
    return start;
  }
  static v1::StartPosition At(int64_t offset) {
    v1::StartPosition start;
    start.set_offset(offset);
    return start;
  }

  absl::StatusOr<std::shared_ptr<Membership>> Join(const std::string& group,
                                                   std::shared_ptr<RecordingMember> member,
                                                   const std::string& member_id = "") {
    JoinRequest request;
    request.group = group;
    request.member_id = member_id;
    auto membership = groups->Join(caller, request, std::move(member));
    pool.Run();
    return membership;
  }

  struct Committed {
    absl::Status status = absl::UnknownError("never done");
    bool changed = false;
  };
  Committed Commit(Membership& membership, uint64_t handle, int64_t offset) {
    Committed committed;
    membership.Commit(handle, Offset(offset), [&committed](absl::Status status, bool changed) {
      committed = {status, changed};
    });
    pool.Run();
    return committed;
  }

  v1::PartitionLag Lag(const std::string& group, int32_t partition,
                       const std::string& topic = "orders") {
    v1::GetLagRequest request;
    request.set_group(group);
    request.set_topic(topic);
    const auto lag = groups->GetLag(caller, request);
    REQUIRE_OK(lag);
    for (const v1::PartitionLag& row : lag->partitions()) {
      if (row.partition() == partition) return row;
    }
    FAIL("no such partition");
    return {};
  }

  void Advance(absl::Duration by) {
    engine.Advance(by);
    Pass(by);
  }
  // Time passes that the time of the engine knows nothing of.
  void Pass(absl::Duration by) {
    clock.Advance(by);
    timer.Advance(by);
    pool.Run();
  }

  Caller caller{"anonymous", "default", "test", absl::InfiniteDuration()};
  HeldEngine engine;
  FakeClock clock;
  TopicAuthorizer authorizer;
  SteppedPool pool;
  SteppedTimer timer;
  std::unique_ptr<TopicRegistry> topics;
  std::unique_ptr<GroupRegistry> groups;

 private:
  void Start() {
    topics = std::make_unique<TopicRegistry>(engine, TopicLimits());
    groups = std::make_unique<GroupRegistry>(
        GroupRegistry::Deps{engine, clock, *topics, authorizer, pool, timer, limits_});
    topics->SetDeleteCheck(
        [this](const Topic& topic, bool force) { return groups->CheckTopicDelete(topic, force); });
    topics->SetChangeListener(
        [this](const Topic& topic, bool deleted) { groups->OnTopicChanged(topic, deleted); });
    REQUIRE_OK(topics->Load());
    REQUIRE_OK(groups->Load());
  }

  const GroupLimits limits_;
};

}  // namespace acta
